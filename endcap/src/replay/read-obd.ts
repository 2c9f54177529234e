import { createReadStream, existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parse } from 'csv-parse'
import { UsageError } from '../commands/options.js'

/** One impression of an Open Bandit log. */
export interface ObdRow {
  readonly occurredAtMs: number
  readonly itemId: string
  /** 1, 2 or 3: left, centre, right. */
  readonly position: number
  readonly clicked: boolean
  readonly propensity: number
  /** A user's anonymised features together: the nearest thing to a customer that the log has. */
  readonly user: string
}

/**
 * Reads `<dir>/<campaign>.csv` of the Open Bandit data set [Saito et al. 2020], e.g. `obd/random/men`, in time order.
 * @throws UsageError when the folder does not hold such a log or a row is not one of its rows
 */
export async function readObd(dir: string): Promise<ObdRow[]> {
  const file = join(dir, `${basename(dir)}.csv`)
  if (!existsSync(file)) throw new UsageError(`${file} is missing: give a folder such as obd/random/men`)
  const rows: ObdRow[] = []
  const parser = createReadStream(file).pipe(parse({ columns: true, bom: true, skip_empty_lines: true }))
  let line = 1
  for await (const record of parser as AsyncIterable<Record<string, string>>) {
    line++
    const occurredAtMs = Date.parse((record.timestamp ?? '').replace(' ', 'T'))
    const position = Number(record.position)
    if (
      !Number.isFinite(occurredAtMs) ||
      !record.item_id ||
      ![1, 2, 3].includes(position) ||
      !/^[01]$/.test(record.click ?? '')
    ) {
      throw new UsageError(
        `${file}, row ${line} is not an Open Bandit row (timestamp, item_id, position, click)`,
      )
    }
    rows.push({
      occurredAtMs,
      itemId: record.item_id,
      position,
      clicked: record.click === '1',
      propensity: Number(record.propensity_score ?? record.action_prob),
      user: [0, 1, 2, 3].map((index) => record[`user_feature_${index}`]?.slice(0, 8) ?? '').join('-'),
    })
  }
  return rows.sort((a, b) => a.occurredAtMs - b.occurredAtMs)
}
