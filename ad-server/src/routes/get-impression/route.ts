import type { TokenSealer } from '@endcap/contracts'
import { type App, publicAccess } from '@endcap/platform/http'
import { z } from 'zod'
import type { Track } from '../../track/track.js'
import { noSuchSlot } from '../no-such-slot.js'
import { visitOf } from '../visit-of.js'

/** A transparent GIF of 1×1, 43 bytes: the smallest that every browser shows. */
const PIXEL = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==', 'base64')

const params = z.object({ token: z.string() })

/** `GET /t/i/{token}`: the impression pixel. HEAD shows nobody anything, and counts nothing. */
export function getImpression(app: App, { sealer, track }: { sealer: TokenSealer; track: Track }): void {
  app.get(
    '/t/i/:token',
    {
      config: {
        access: publicAccess,
        unlimited: true,
        undecodable: noSuchSlot,
        answers: {
          200: { description: 'A transparent GIF of one pixel', contentType: 'image/gif' },
          404: { description: 'No such slot', contentType: 'application/problem+json' },
        },
      },
      schema: { summary: 'Impression pixel', tags: ['tracking'], params },
    },
    async (request, reply) => {
      const { token: sealed } = request.params
      const opened = sealer.open(sealed)
      if (!opened.ok) throw noSuchSlot
      if (request.method !== 'HEAD') await track.browser('impression', sealed, opened.token, visitOf(request))
      return reply.type('image/gif').header('cache-control', 'no-store').send(PIXEL)
    },
  )
}
