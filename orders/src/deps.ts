import type { Clock, IdSource } from '@endcap/contracts'
import type { Logger } from '@endcap/platform/logging'
import type { Registry } from '@endcap/platform/metrics'
import type { Postgres } from '@endcap/platform/postgres'

export interface OrdersDeps {
  readonly postgres: Postgres
  readonly clock: Clock
  readonly ids: IdSource
  /** Under which customers are remembered; 32 bytes, the same for all processes. */
  readonly identityKey: Buffer
  readonly logger: Logger
  readonly registry: Registry
}
