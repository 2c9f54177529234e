export { loadConfig } from './host/services.js'
export { startHost } from './host/start-host.js'
