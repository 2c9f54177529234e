import type { ServiceDescriptor } from '@endcap/platform/lifecycle'
import type { CampaignsApiDeps } from './deps.js'

export const campaignsApiService = {
  name: 'campaigns-api',
  tcpPort: 8080,
  roles: [{ name: 'campaigns-api', needs: ['postgres', 'clickhouse'] }],
  create: async (deps: CampaignsApiDeps) =>
    (await import('./create-campaigns-api.js')).createCampaignsApi(deps),
} as const satisfies ServiceDescriptor
