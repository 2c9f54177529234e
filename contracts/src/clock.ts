/** The current instant in milliseconds since the epoch. Injected, so that domain code never reads a clock. */
export type Clock = () => number

export const systemClock: Clock = () => Date.now()
