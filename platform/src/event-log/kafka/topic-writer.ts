import { type Kafka, Partitioners, type Producer } from 'kafkajs'
import { LogWriteError, UnknownTopicError } from '../errors.js'
import type { NewRecord } from '../event-log.js'
import { recordBytes } from '../limits.js'
import { isRefusal, isUnknownTopic } from './kafka-errors.js'

/** All records of one request may land in one partition, whose batch the broker takes up to 1 MiB. */
const REQUEST_BYTES = 900_000
const REQUEST_TIMEOUT_MS = 10_000
/** Of the client, within one attempt of ours: it gives up at once on some errors of a broker that is only restarting. */
const CLIENT_RETRY = { initialRetryTime: 100, maxRetryTime: 1000, retries: 3 }
const RETRY_MS = 100
const LONGEST_RETRY_MS = 1000

interface WaitingAppend {
  readonly resolve: () => void
  readonly reject: (error: Error) => void
  /** Slices that are not yet acknowledged. */
  left: number
  failed: boolean
}

interface Slice {
  readonly append: WaitingAppend
  readonly records: readonly NewRecord[]
  readonly bytes: number
}

/**
 * Sends one topic's records in the order of the calls: one request at a time, which carries everything that has come
 * meanwhile. The producer is idempotent, so that its own retries store nothing twice. After it has given up, its
 * sequence numbers say nothing about what the broker has stored: a fresh producer takes over.
 */
export class TopicWriter {
  private readonly waiting: Slice[] = []
  private sending: Promise<void> | undefined
  private producer: Producer | undefined
  /** Bytes not yet acknowledged. */
  pendingBytes = 0

  constructor(
    private readonly kafka: Kafka,
    private readonly topic: string,
    private readonly timeoutMs: number,
  ) {}

  append(records: readonly NewRecord[]): Promise<void> {
    const slices = slicesOf(records)
    return new Promise((resolve, reject) => {
      const append: WaitingAppend = { resolve, reject, left: slices.length, failed: false }
      for (const slice of slices) {
        this.waiting.push({ append, ...slice })
        this.pendingBytes += slice.bytes
      }
      this.sending ??= this.sendWaiting().finally(() => {
        this.sending = undefined
      })
    })
  }

  private async sendWaiting(): Promise<void> {
    // Appends of one turn of the event loop share the first request.
    await Promise.resolve()
    while (this.waiting.length > 0) {
      const slices = this.takeSlices()
      try {
        if (slices.length > 0) await this.sendUntilTaken(slices)
        for (const { append } of slices) if (--append.left === 0) append.resolve()
      } catch (error) {
        this.discardProducer()
        const failure = this.failureOf(error)
        for (const { append } of slices) {
          append.failed = true
          append.reject(failure)
        }
      } finally {
        for (const { bytes } of slices) this.pendingBytes -= bytes
      }
    }
  }

  private takeSlices(): Slice[] {
    const slices: Slice[] = []
    let bytes = 0
    for (let next = this.waiting[0]; next; next = this.waiting[0]) {
      if (next.append.failed) {
        this.pendingBytes -= next.bytes
      } else {
        if (slices.length > 0 && bytes + next.bytes > REQUEST_BYTES) break
        bytes += next.bytes
        slices.push(next)
      }
      this.waiting.shift()
    }
    return slices
  }

  private failureOf(error: unknown): Error {
    if (isUnknownTopic(error))
      return new UnknownTopicError(`there is no topic ${this.topic}`, { cause: error })
    const reason = error instanceof Error ? error.message : String(error)
    return new LogWriteError(`cannot append to ${this.topic}: ${reason}`, { cause: error })
  }

  /** The same records by the same producer have the same sequence numbers: what an earlier try stored is not stored again. */
  private async sendUntilTaken(slices: readonly Slice[]): Promise<void> {
    const deadline = performance.now() + this.timeoutMs
    for (let delay = RETRY_MS; ; delay = Math.min(delay * 2, LONGEST_RETRY_MS)) {
      try {
        await this.send(slices)
        return
      } catch (error) {
        if (isRefusal(error) || isUnknownTopic(error) || performance.now() + delay > deadline) throw error
      }
      await new Promise((resolve) => setTimeout(resolve, delay))
    }
  }

  private async send(slices: readonly Slice[]): Promise<void> {
    const producer = await this.connected()
    await producer.send({
      topic: this.topic,
      acks: -1,
      timeout: REQUEST_TIMEOUT_MS,
      messages: slices.flatMap(({ records }) =>
        records.map(({ key, value, headers }) => ({
          key,
          value,
          ...(headers && { headers: { ...headers } }),
        })),
      ),
    })
  }

  private async connected(): Promise<Producer> {
    if (this.producer) return this.producer
    const producer = this.kafka.producer({
      idempotent: true,
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
      retry: CLIENT_RETRY,
    })
    try {
      await producer.connect()
    } catch (error) {
      await producer.disconnect().catch(() => {})
      throw error
    }
    this.producer = producer
    return producer
  }

  private discardProducer(): void {
    void this.producer?.disconnect().catch(() => {})
    this.producer = undefined
  }

  /** Resolves when everything that was appended is acknowledged or refused. */
  async close(): Promise<void> {
    while (this.sending) await this.sending
    await this.producer?.disconnect()
    this.producer = undefined
  }
}

function slicesOf(records: readonly NewRecord[]): { records: NewRecord[]; bytes: number }[] {
  const slices: { records: NewRecord[]; bytes: number }[] = []
  let current: { records: NewRecord[]; bytes: number } | undefined
  for (const record of records) {
    const bytes = recordBytes(record)
    if (!current || current.bytes + bytes > REQUEST_BYTES) {
      current = { records: [], bytes: 0 }
      slices.push(current)
    }
    current.records.push(record)
    current.bytes += bytes
  }
  return slices
}
