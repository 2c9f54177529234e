import { EndcapError } from '@endcap/contracts'
import { ConfigError } from '@endcap/platform/config'
import { StartupError } from '@endcap/platform/lifecycle'
import { PostgresUnavailableError } from '@endcap/platform/postgres'
import { Command, CommanderError } from 'commander'
import { auctionCommand } from './commands/auction.js'
import { configCommand } from './commands/config.js'
import { deadLettersCommand } from './commands/dead-letters.js'
import { demoCommand } from './commands/demo.js'
import { importCommand } from './commands/import.js'
import { keysCommand } from './commands/keys.js'
import { migrateCommand } from './commands/migrate.js'
import { modelsCommand } from './commands/models.js'
import { UsageError } from './commands/options.js'
import { replayCommand } from './commands/replay.js'
import { secretsCommand } from './commands/secrets.js'
import { shoppersCommand } from './commands/shoppers.js'
import { startCommand } from './commands/start.js'
import { trainCommand } from './commands/train.js'
import { verifyCommand } from './commands/verify.js'
import { say } from './output/print.js'

export const EXIT_OK = 0
export const EXIT_FAILED = 1
export const EXIT_USAGE = 2

/** The whole command line; tests and docs read names and options from it. */
export function createProgram(): Command {
  const program = new Command('endcap')
    .description(
      'The end of the aisle for online marketplaces: sponsored slots, billed exactly, learned from.',
    )
    .helpOption('-h, --help', 'say what a command does')
    .showHelpAfterError('(see --help)')
    .exitOverride()
  for (const add of [
    startCommand,
    demoCommand,
    replayCommand,
    trainCommand,
    modelsCommand,
    verifyCommand,
    migrateCommand,
    configCommand,
    keysCommand,
    importCommand,
    deadLettersCommand,
    auctionCommand,
    secretsCommand,
    shoppersCommand,
  ]) {
    add(program)
  }
  return program
}

/** Runs one command. @returns the exit code: 0 done, 1 the check failed or something broke, 2 bad usage or configuration */
export async function runCli(args: readonly string[]): Promise<number> {
  try {
    await createProgram().parseAsync(args, { from: 'user' })
    return Number(process.exitCode ?? EXIT_OK)
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE
    if (isUsage(error)) {
      say(`endcap: ${error.message}`)
      return EXIT_USAGE
    }
    say(`endcap: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
    return EXIT_FAILED
  }
}

const isUsage = (error: unknown): error is Error =>
  error instanceof UsageError ||
  error instanceof StartupError ||
  error instanceof ConfigError ||
  error instanceof EndcapError ||
  error instanceof PostgresUnavailableError
