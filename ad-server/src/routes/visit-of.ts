import type { FastifyRequest } from 'fastify'
import type { BrowserVisit } from '../track/track.js'

/** How browsers say, or said, that nobody has asked for the page yet: fetched or rendered ahead, or as a small preview. */
const PURPOSE_HEADERS = ['sec-purpose', 'purpose', 'x-purpose', 'x-moz'] as const
const AHEAD = /\b(?:prefetch|prerender|preview)\b/i

/** Who came, as far as the request tells. */
export function visitOf(request: Pick<FastifyRequest, 'ip' | 'headers'>): BrowserVisit {
  return {
    address: request.ip,
    userAgent: request.headers['user-agent'],
    prefetch: PURPOSE_HEADERS.some((name) => AHEAD.test(String(request.headers[name] ?? ''))),
  }
}
