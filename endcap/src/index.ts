export { loadConfig, type Role } from './host/services.js'
export { type Host, type HostOptions, startHost } from './host/start-host.js'
