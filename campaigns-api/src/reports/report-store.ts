import { EndcapError } from '@endcap/contracts'
import { ClickHouseError } from '@endcap/platform/clickhouse'

/** Runs reads of the report store. @throws unavailable while it is away */
export async function fromReportStore<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof ClickHouseError && error.retryable) {
      throw new EndcapError('unavailable', 'the report store cannot be reached')
    }
    throw error
  }
}
