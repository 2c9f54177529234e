import { merchant } from '@endcap/contracts'
import { type App, merchantAccess } from '@endcap/platform/http'
import { visibleMerchant } from '@endcap/storage/http'
import type { CampaignsApiDeps } from '../../deps.js'
import { merchantAnswer } from '../../domain/merchant.js'
import { idParams } from '../id-params.js'

export function getMerchant(app: App, deps: CampaignsApiDeps): void {
  app.get(
    '/v1/merchants/:id',
    {
      config: { access: merchantAccess() },
      schema: {
        summary: 'One merchant',
        tags: ['merchants'],
        params: idParams,
        response: { 200: merchant },
      },
    },
    async ({ caller, params }) => merchantAnswer(await visibleMerchant(deps.postgres, caller, params.id)),
  )
}
