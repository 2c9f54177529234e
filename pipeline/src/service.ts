import type { ServiceDescriptor, ServiceRole } from '@endcap/platform/lifecycle'
import type { PipelineDeps } from './create-pipeline.js'

const ROLES = [
  // Postgres is only asked whose key a request carries.
  { name: 'ingest', needs: ['postgres', 'clickhouse', 'log'], goesOnWithout: ['postgres'] },
  { name: 'relay', needs: ['postgres', 'log'] },
  {
    name: 'jobs',
    needs: ['postgres', 'clickhouse', 'log', 'state', 'tokenKeys'],
    settings: ['ENDCAP_TRAIN_CRON'],
  },
  { name: 'billing', needs: ['postgres', 'log', 'tokenKeys'] },
] as const satisfies readonly ServiceRole[]

export type PipelineRole = (typeof ROLES)[number]['name']
export const PIPELINE_ROLES: readonly PipelineRole[] = ROLES.map(({ name }) => name)

export const pipelineService = {
  name: 'pipeline',
  tcpPort: 8083,
  roles: ROLES,
  create: async (deps: PipelineDeps, roles: readonly PipelineRole[]) =>
    (await import('./create-pipeline.js')).createPipeline(deps, roles),
} as const satisfies ServiceDescriptor
