import type { Clock, IdSource } from '@endcap/contracts'
import type { ClickHouse } from '@endcap/platform/clickhouse'
import type { Logger } from '@endcap/platform/logging'
import type { Registry } from '@endcap/platform/metrics'
import type { Postgres } from '@endcap/platform/postgres'

/** What the campaigns API needs from the process that hosts it. */
export interface CampaignsApiDeps {
  readonly postgres: Postgres
  /** Read by reports and for logged auctions only. */
  readonly clickhouse: ClickHouse
  readonly clock: Clock
  readonly ids: IdSource
  /** Cryptographically random bytes, for new API keys. */
  readonly randomBytes: (size: number) => Buffer
  readonly logger: Logger
  readonly registry: Registry
}
