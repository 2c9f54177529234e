import type { Command } from 'commander'

export interface CommonOptions {
  readonly json?: boolean
  readonly dataDir?: string
}

/** `--json` and `--data-dir`, which every command takes. */
export const withCommonOptions = (command: Command): Command =>
  command
    .option('--json', 'print exactly one JSON document on stdout; progress and logs go to stderr')
    .option(
      '--data-dir <dir>',
      'where the embedded servers and local state live (default: ENDCAP_DATA_DIR or ./.endcap)',
    )

/** A wrong use of the command line or of the configuration: one sentence, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** A whole number option within a range. */
export const wholeNumber =
  (name: string, min: number, max: number) =>
  (text: string): number => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < min || value > max) {
      throw new UsageError(`${name} must be a whole number from ${min} to ${max}, not "${text}"`)
    }
    return value
  }
