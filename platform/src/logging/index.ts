export type { Logger } from 'pino'
export { createLogger, LOG_LEVELS, type LoggerOptions, type LogLevel, silentLogger } from './create-logger.js'
export { HIDDEN, scrubSecrets } from './scrub-secrets.js'
