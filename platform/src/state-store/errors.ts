/** A key is used as two different things, or a number leaves the 64 bits: a fault of the calling code. */
export class StateStoreUsageError extends Error {
  override readonly name = 'StateStoreUsageError'
}

/** The store cannot answer. The sentence names host and port, never the password. */
export class StateStoreUnavailableError extends Error {
  override readonly name = 'StateStoreUnavailableError'
}
