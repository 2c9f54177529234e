import type { Topic } from '@endcap/contracts'
import type { EventLog } from '@endcap/platform/event-log'

/**
 * The offset at which a partition's records were appended at an instant or later, to within the order of its clock; its end when none
 * was. Found by halving: some twenty single reads.
 */
export async function offsetAt(
  log: EventLog,
  topic: Topic,
  partition: number,
  instantMs: number,
): Promise<bigint> {
  const range = (await log.ranges(topic)).find((each) => each.partition === partition)
  if (!range) return 0n
  let [low, high] = [range.first, range.end]
  while (low < high) {
    const middle = (low + high) / 2n
    if ((await appendedAt(log, topic, partition, middle, high)) < instantMs) low = middle + 1n
    else high = middle
  }
  return low
}

/** When the first record from an offset on was appended; offsets may have gaps. */
async function appendedAt(
  log: EventLog,
  topic: Topic,
  partition: number,
  from: bigint,
  to: bigint,
): Promise<number> {
  for await (const [record] of log.read(topic, partition, from, to)) {
    if (record) return record.appendedAtMs
  }
  return Number.POSITIVE_INFINITY
}
