export { createIngest } from './ingest.js'

export { ingestedThrough, isIngested } from './progress.js'
