export { createRetention, type Purged, purge, type RetentionDeps } from './retention.js'
