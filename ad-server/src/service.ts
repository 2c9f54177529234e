import type { ServiceDescriptor } from '@endcap/platform/lifecycle'
import type { AdServerDeps } from './create-ad-server.js'

export const adServerService = {
  name: 'ad-server',
  tcpPort: 8081,
  roles: [
    {
      name: 'ad-server',
      needs: ['postgres', 'log', 'sink', 'state', 'tokenKeys', 'identityKey'],
      // It serves from its last good copies. Its own components say what it can't do without.
      goesOnWithout: ['postgres', 'log', 'sink', 'state'],
      settings: ['ENDCAP_PUBLIC_URL', 'ENDCAP_CLICK_LIMITS', 'ENDCAP_DATA_CENTER_RANGES'],
    },
  ],
  create: async (deps: AdServerDeps) => (await import('./create-ad-server.js')).createAdServer(deps),
} as const satisfies ServiceDescriptor
