import { merchant, patchMerchantBody } from '@endcap/contracts'
import { type App, merchantAccess } from '@endcap/platform/http'
import type { CampaignsApiDeps } from '../../deps.js'
import { idParams } from '../id-params.js'
import { changeMerchant } from './handler.js'

export function patchMerchant(app: App, deps: CampaignsApiDeps): void {
  app.patch(
    '/v1/merchants/:id',
    {
      config: { access: merchantAccess() },
      schema: {
        summary: 'Change a merchant',
        tags: ['merchants'],
        params: idParams,
        body: patchMerchantBody,
        response: { 200: merchant },
      },
    },
    ({ caller, params, body }) => changeMerchant(deps, caller, params.id, body),
  )
}
