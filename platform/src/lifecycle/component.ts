/**
 * A long-lived part of a process. Components start in the order given and stop in the reverse order.
 * `problem()` is asked by /readyz: undefined when ready, else one sentence saying why not.
 */
export interface Component {
  readonly name: string
  start(): Promise<void>
  stop(): Promise<void>
  problem?(): Promise<string | undefined> | string | undefined
  /** Tells the process that this component can never work again; the process then stops and exits with 1. Called before `start`. */
  onFailure?(report: (error: unknown) => void): void
}
