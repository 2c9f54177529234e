import type { Topic } from '@endcap/contracts'
import type { ConsumeOptions, Consumer } from '../event-log.js'
import type { OffsetStore } from './offset-store.js'
import type { Partition } from './partition.js'
import { Worker } from './worker.js'

interface Member {
  readonly options: ConsumeOptions
  readonly fail: (error: Error) => void
}

interface Share {
  readonly topic: Topic
  readonly number: number
  readonly partition: Partition
  owner: Member | undefined
  running: { readonly member: Member; readonly worker: Worker } | undefined
}

/** The consumers of this process, and which of them reads which partition. */
export class Groups {
  private readonly groups = new Map<string, { members: Member[]; shares: Map<string, Share> }>()
  private readonly consumers = new Set<Consumer>()

  constructor(
    private readonly offsets: OffsetStore,
    private readonly partitionsOf: (topic: Topic) => readonly Partition[],
  ) {}

  join(options: ConsumeOptions): Consumer {
    const group = this.groups.get(options.group) ?? { members: [], shares: new Map<string, Share>() }
    this.groups.set(options.group, group)
    for (const topic of options.topics) {
      for (const [number, partition] of this.partitionsOf(topic).entries()) {
        const key = `${topic}:${number}`
        if (!group.shares.has(key)) {
          group.shares.set(key, { topic, number, partition, owner: undefined, running: undefined })
        }
      }
    }
    let fail: (error: Error) => void = () => {}
    let release: (never: never) => void = () => {}
    const failed = new Promise<never>((resolve, reject) => {
      fail = reject
      release = resolve
    })
    // Whoever does not listen is not killed by an unhandled rejection; problems show in `failed` and `onError`.
    failed.catch(() => {})
    const member: Member = { options, fail }
    group.members.push(member)
    this.assign(options.group)

    const consumer: Consumer = {
      failed,
      stop: async () => {
        this.consumers.delete(consumer)
        const mine = [...group.shares.values()].flatMap((share) =>
          share.running?.member === member ? [share.running.worker] : [],
        )
        const index = group.members.indexOf(member)
        if (index >= 0) group.members.splice(index, 1)
        this.assign(options.group)
        await Promise.all(mine.map((worker) => worker.finished))
        release(undefined as never)
      },
    }
    this.consumers.add(consumer)
    return consumer
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.consumers].map((consumer) => consumer.stop()))
  }

  /** Deals the partitions of each topic out in turn. */
  private assign(name: string): void {
    const group = this.groups.get(name)!
    let turn = 0
    for (const share of group.shares.values()) {
      const candidates = group.members.filter((member) => member.options.topics.includes(share.topic))
      share.owner = candidates.length === 0 ? undefined : candidates[turn++ % candidates.length]
      this.settle(share)
    }
  }

  /** Moves a share to its owner, once the consumer that has it is done with the batch in hand. */
  private settle(share: Share): void {
    if (share.running) {
      if (share.running.member !== share.owner) share.running.worker.stop()
      return
    }
    const member = share.owner
    if (!member) return
    const worker = new Worker({
      topic: share.topic,
      number: share.number,
      partition: share.partition,
      offsets: this.offsets,
      options: member.options,
      onFatal: (error) => {
        share.owner = undefined
        member.fail(error)
      },
    })
    share.running = { member, worker }
    void worker.finished.then(() => {
      share.running = undefined
      this.settle(share)
    })
  }
}
