/** The process cannot start, for a reason its operator can mend: one clear sentence, exit code 2. */
export class StartupError extends Error {
  override readonly name = 'StartupError'
  readonly exitCode = 2
}
