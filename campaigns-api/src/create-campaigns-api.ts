import type { App } from '@endcap/platform/http'
import type { Service } from '@endcap/platform/lifecycle'
import type { CampaignsApiDeps } from './deps.js'
import { deleteKey } from './routes/delete-key/route.js'
import { getAuction } from './routes/get-auction/route.js'
import { getBidLandscape } from './routes/get-bid-landscape/route.js'
import { getCampaign } from './routes/get-campaign/route.js'
import { getCampaignBudget } from './routes/get-campaign-budget/route.js'
import { getCampaigns } from './routes/get-campaigns/route.js'
import { getClawbacks } from './routes/get-clawbacks/route.js'
import { getCredits } from './routes/get-credits/route.js'
import { getDeposits } from './routes/get-deposits/route.js'
import { getKeys } from './routes/get-keys/route.js'
import { getLedger } from './routes/get-ledger/route.js'
import { getListing } from './routes/get-listing/route.js'
import { getListings } from './routes/get-listings/route.js'
import { getMerchant } from './routes/get-merchant/route.js'
import { getMerchants } from './routes/get-merchants/route.js'
import { getRefunds } from './routes/get-refunds/route.js'
import { getRules } from './routes/get-rules/route.js'
import { getStatement } from './routes/get-statement/route.js'
import { getStatements } from './routes/get-statements/route.js'
import { getWallet } from './routes/get-wallet/route.js'
import { patchCampaign } from './routes/patch-campaign/route.js'
import { patchMerchant } from './routes/patch-merchant/route.js'
import { postCampaignAction } from './routes/post-campaign-action/route.js'
import { postCampaigns } from './routes/post-campaigns/route.js'
import { postClawbacks } from './routes/post-clawbacks/route.js'
import { postCredits } from './routes/post-credits/route.js'
import { postDeposits } from './routes/post-deposits/route.js'
import { postKeys } from './routes/post-keys/route.js'
import { postMerchants } from './routes/post-merchants/route.js'
import { postRefunds } from './routes/post-refunds/route.js'
import { postReportsQuery } from './routes/post-reports-query/route.js'
import { putListingsRoute } from './routes/put-listings/route.js'
import { putRules } from './routes/put-rules/route.js'

const ROUTES: readonly ((app: App, deps: CampaignsApiDeps) => void)[] = [
  postMerchants,
  getMerchants,
  getMerchant,
  patchMerchant,
  postDeposits,
  getDeposits,
  postRefunds,
  getRefunds,
  postCredits,
  getCredits,
  postClawbacks,
  getClawbacks,
  getWallet,
  getLedger,
  getStatements,
  getStatement,
  putListingsRoute,
  getListings,
  getListing,
  postCampaigns,
  getCampaigns,
  getCampaign,
  getCampaignBudget,
  patchCampaign,
  postCampaignAction('activate'),
  postCampaignAction('pause'),
  postCampaignAction('archive'),
  postKeys,
  getKeys,
  deleteKey,
  getRules,
  putRules,
  postReportsQuery,
  getAuction,
  getBidLandscape,
]

/**
 * Merchants, wallets, listings, campaigns, the operator's rules, API keys and reports over HTTP. Postgres holds their truth; what others must see
 * goes on the change feed in the same transaction. Nothing runs in the background.
 */
export const createCampaignsApi = (deps: CampaignsApiDeps): Service => ({
  routes: (app) => {
    for (const route of ROUTES) route(app, deps)
  },
  components: [],
})
