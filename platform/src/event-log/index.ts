export { createEmbeddedLog, type EmbeddedLog, type EmbeddedLogOptions } from './embedded-log.js'
export * from './errors.js'
export * from './event-log.js'
export { consumeInRanges, type LogRange, type RangeOptions } from './exactly-once.js'
export { createKafkaLog, type KafkaLogOptions } from './kafka-log.js'
export { MAX_METADATA_BYTES, MAX_RECORD_BYTES, recordBytes } from './limits.js'
export type { LogLogger } from './logger.js'
export { partitionOf } from './partitioner.js'
export {
  createBoundedSink,
  createDirectSink,
  createSpool,
  type EventSink,
  type Spool,
  SpoolFullError,
  type SpoolOptions,
} from './spool.js'
