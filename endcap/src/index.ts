export { type Host, type HostOptions, startHost } from './host/start-host.js'
