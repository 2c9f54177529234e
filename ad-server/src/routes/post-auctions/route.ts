import { auctionsAnswer, auctionsBody } from '@endcap/contracts'
import { type App, fastSerializerCompiler, scopes } from '@endcap/platform/http'
import type { Serve } from '../../serve/serve.js'
import { explainQuery, wantsExplanation } from '../explain-query.js'
import { runAuctions } from './handler.js'

export interface PostAuctionsDeps {
  readonly serve: Serve
  readonly publicUrl: string
}

/** `POST /v1/auctions`: sponsored winners only, up to five auctions a call, each failing alone. */
export function postAuctions(app: App, deps: PostAuctionsDeps): void {
  app.post(
    '/v1/auctions',
    {
      config: { access: scopes('serve'), itemwise: true },
      schema: {
        summary: 'Run auctions and get their winners',
        tags: ['serving'],
        querystring: explainQuery,
        body: auctionsBody,
        response: { 200: auctionsAnswer },
      },
      serializerCompiler: fastSerializerCompiler,
    },
    async (request) =>
      runAuctions(request.body, deps, {
        requestId: request.id,
        explain: wantsExplanation(request.query, request.caller),
        showPrices: request.caller.isOperator,
      }),
  )
}
