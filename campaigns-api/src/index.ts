export { createCampaignsApi } from './create-campaigns-api.js'
export type { CampaignsApiDeps } from './deps.js'
