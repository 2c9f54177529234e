import { EndcapError } from '@endcap/contracts'
import { InterruptedError } from '@endcap/platform/lifecycle'
import { Command, CommanderError } from 'commander'
import { UsageError } from './commands/options.js'
import { runInterruptible } from './host/interruption.js'
import { hasPrintedJson, printJson, say } from './output/print.js'

type AddCommand = (program: Command) => void

/** Each command with the module that defines it, loaded only when it is asked for: the servers behind some take seconds to load. */
const COMMANDS: Readonly<Record<string, () => Promise<AddCommand>>> = {
  start: async () => (await import('./commands/start.js')).startCommand,
  demo: async () => (await import('./commands/demo.js')).demoCommand,
  replay: async () => (await import('./commands/replay.js')).replayCommand,
  train: async () => (await import('./commands/train.js')).trainCommand,
  models: async () => (await import('./commands/models.js')).modelsCommand,
  verify: async () => (await import('./commands/verify.js')).verifyCommand,
  repair: async () => (await import('./commands/repair.js')).repairCommand,
  migrate: async () => (await import('./commands/migrate.js')).migrateCommand,
  config: async () => (await import('./commands/config.js')).configCommand,
  keys: async () => (await import('./commands/keys.js')).keysCommand,
  import: async () => (await import('./commands/import.js')).importCommand,
  dlq: async () => (await import('./commands/dead-letters.js')).deadLettersCommand,
  auction: async () => (await import('./commands/auction.js')).auctionCommand,
  simulate: async () => (await import('./commands/simulate.js')).simulateCommand,
  secrets: async () => (await import('./commands/secrets.js')).secretsCommand,
  shoppers: async () => (await import('./commands/shoppers.js')).shoppersCommand,
}

const EXIT_OK = 0
const EXIT_FAILED = 1
const EXIT_USAGE = 2

/** The command line: whole, as help and tests need it, or with one command only. */
export async function createProgram(only?: string): Promise<Command> {
  const program = new Command('endcap')
    .description(
      'The end of the aisle for online marketplaces: sponsored slots, billed exactly, learned from.',
    )
    .helpOption('-h, --help', 'say what a command does')
    .showHelpAfterError('(see --help)')
    .exitOverride()
  const names = only !== undefined && Object.hasOwn(COMMANDS, only) ? [only] : Object.keys(COMMANDS)
  for (const name of names) (await COMMANDS[name]!())(program)
  return program
}

/**
 * Runs one command.
 * @returns the exit code: 0 done, 1 the check failed or something broke, 2 bad usage or configuration, 128 + the number of the signal that
 *   cut it short
 */
export async function runCli(args: readonly string[]): Promise<number> {
  try {
    return await runInterruptible(async () => {
      const program = await createProgram(args[0])
      await program.parseAsync(args, { from: 'user' })
      return Number(process.exitCode ?? EXIT_OK)
    })
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT_OK
    const code = exitCodeOf(error, args[0])
    const message = error instanceof Error ? error.message : String(error)
    // Commander has said on stderr what is wrong with the arguments.
    if (!(error instanceof CommanderError)) {
      say(`endcap: ${code === EXIT_FAILED && error instanceof Error ? (error.stack ?? message) : message}`)
    }
    // Whoever reads a document gets one, whatever went wrong.
    if (args.includes('--json') && !hasPrintedJson()) printJson({ ok: false, error: message, exitCode: code })
    return code
  }
}

function exitCodeOf(error: unknown, command: string | undefined): number {
  // A signal is what `start` runs for, though it be an early one.
  if (error instanceof InterruptedError) return command === 'start' ? EXIT_OK : error.exitCode
  return error instanceof CommanderError || isUsage(error) ? EXIT_USAGE : EXIT_FAILED
}

/** By name: the classes live in modules that a command may never have loaded. */
const USAGE_ERRORS: ReadonlySet<string> = new Set([
  'StartupError',
  'ConfigError',
  'PostgresUnavailableError',
  'MigrationError',
])

const isUsage = (error: unknown): error is Error =>
  error instanceof UsageError ||
  error instanceof EndcapError ||
  (error instanceof Error && USAGE_ERRORS.has(error.name))
