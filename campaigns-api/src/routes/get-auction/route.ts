import { loggedAuctionAnswer } from '@endcap/contracts'
import { type App, scopes } from '@endcap/platform/http'
import type { CampaignsApiDeps } from '../../deps.js'
import { idParams } from '../id-params.js'
import { explainLoggedAuction } from './handler.js'

export function getAuction(app: App, deps: CampaignsApiDeps): void {
  app.get(
    '/v1/auctions/:id',
    {
      config: {
        access: scopes('operator'),
        answers: {
          410: { description: 'Longer ago than auctions are kept', contentType: 'application/problem+json' },
        },
      },
      schema: {
        summary: 'One logged auction: who bid, who won at which price, decided again from the log',
        tags: ['auctions'],
        params: idParams,
        response: { 200: loggedAuctionAnswer },
      },
    },
    ({ params }) => explainLoggedAuction(deps, params.id),
  )
}
