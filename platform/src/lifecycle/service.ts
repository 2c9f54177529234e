import type { VariableName } from '../config/variables.js'
import type { KeyVerifier } from '../http/access.js'
import type { App } from '../http/app.js'
import type { Component } from './component.js'

/** What a process opens or holds for the roles that need it. `sink` is where events are written, `log` where they are read. */
export type Need = 'postgres' | 'clickhouse' | 'log' | 'sink' | 'state' | 'tokenKeys' | 'identityKey'

/** What a service hands to the process that hosts it: its routes, and its long-lived parts in start order. */
export interface Service {
  routes(app: App): void
  readonly components: readonly Component[]
  /** Verifies API keys without a database. */
  readonly verifyKey?: KeyVerifier
}

/** A part of a service that can be a process of its own. */
export interface ServiceRole {
  readonly name: string
  readonly needs: readonly Need[]
  /** Needs whose absence does not make the process unready. */
  readonly goesOnWithout?: readonly Need[]
  /** The variables that only the roles that name them read. */
  readonly settings?: readonly VariableName[]
}

/** All that a process, the configuration and its documentation know of a service. Its module stays light: `create` loads the code. */
export interface ServiceDescriptor<Deps = never> {
  /** Also the role that is all of `roles` in one process. */
  readonly name: string
  /** The TCP port that docker-compose.yml publishes. */
  readonly tcpPort: number
  /** In start order. A service that is not divided has one, with its own name. */
  readonly roles: readonly ServiceRole[]
  create(deps: Deps, roles: readonly string[]): Promise<Service>
}
