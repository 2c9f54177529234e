export type { Logger } from 'pino'
export { createLogger, silentLogger } from './create-logger.js'
