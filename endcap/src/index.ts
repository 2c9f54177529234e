export { startHost } from './host/start-host.js'
