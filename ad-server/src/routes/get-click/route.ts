import { EndcapError, type TokenSealer } from '@endcap/contracts'
import { type App, publicAccess } from '@endcap/platform/http'
import { z } from 'zod'
import type { AdIndex } from '../../index/ad-index.js'
import type { Track } from '../../track/track.js'
import { noSuchSlot } from '../no-such-slot.js'
import { visitOf } from '../visit-of.js'

const params = z.object({ token: z.string() })

export interface GetClickDeps {
  readonly sealer: TokenSealer
  readonly index: AdIndex
  readonly track: Track
}

/** `GET /t/c/{token}`: counts a click and sends the shopper to the listing's own address, never elsewhere. HEAD only checks the link. */
export function getClick(app: App, { sealer, index, track }: GetClickDeps): void {
  app.get(
    '/t/c/:token',
    {
      config: {
        access: publicAccess,
        unlimited: true,
        undecodable: noSuchSlot,
        answers: {
          302: { description: 'To the page of the listing' },
          404: { description: 'No such slot, or no such listing', contentType: 'application/problem+json' },
        },
      },
      schema: { summary: 'Click redirect', tags: ['tracking'], params },
    },
    async (request, reply) => {
      const { token: sealed } = request.params
      const opened = sealer.open(sealed)
      if (!opened.ok) throw noSuchSlot
      const target = targetOf(index.listing(opened.token.listingId)?.url)
      if (target === undefined) throw new EndcapError('not_found', 'The listing has no page here.')
      if (request.method !== 'HEAD') await track.browser('click', sealed, opened.token, visitOf(request))
      return reply.header('cache-control', 'no-store').redirect(target, 302)
    },
  )
}

/** The address as a header may carry it: other scripts percent-encoded. */
function targetOf(url: string | undefined): string | undefined {
  if (url === undefined || !URL.canParse(url)) return undefined
  const target = new URL(url)
  return target.protocol === 'https:' || target.protocol === 'http:' ? target.href : undefined
}
