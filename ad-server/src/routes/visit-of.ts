import type { FastifyRequest } from 'fastify'
import type { BrowserVisit } from '../track/track.js'

/** Who came, as far as the request tells. */
export function visitOf(request: Pick<FastifyRequest, 'ip' | 'headers'>): BrowserVisit {
  const purpose = request.headers['sec-purpose'] ?? request.headers.purpose
  return {
    address: request.ip,
    userAgent: request.headers['user-agent'],
    prefetch: typeof purpose === 'string' && purpose.includes('prefetch'),
  }
}
