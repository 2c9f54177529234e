export { createCampaignsApi } from './create-campaigns-api.js'
