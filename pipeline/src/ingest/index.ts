export { createIngest, type IngestDeps } from './ingest.js'
export { createIngestRange, type IngestRangeDeps, type RangeCounts } from './ingest-range.js'
export { INGESTED_TOPICS, type IngestedTopic } from './plans.js'
export { INGEST_GROUP, type IngestProgress, ingestedThrough, isIngested } from './progress.js'
