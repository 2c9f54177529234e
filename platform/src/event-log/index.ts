export { createEmbeddedLog, type EmbeddedLog } from './embedded-log.js'
export * from './errors.js'
export * from './event-log.js'
export { consumeInRanges, type LogRange } from './exactly-once.js'
export { createKafkaLog } from './kafka-log.js'
export { MAX_RECORD_BYTES, recordBytes } from './limits.js'

export { partitionOf } from './partitioner.js'
export {
  createBoundedSink,
  createDirectSink,
  createSpool,
  type EventSink,
} from './spool.js'
