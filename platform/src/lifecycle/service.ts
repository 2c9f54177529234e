import type { App } from '../http/app.js'
import type { Component } from './component.js'

/** What a service hands to the process that hosts it: its routes, and its long-lived parts in start order. */
export interface Service {
  readonly name: 'campaigns-api' | 'ad-server' | 'orders' | 'pipeline'
  routes(app: App): void
  readonly components: readonly Component[]
}
