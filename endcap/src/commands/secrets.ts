import { randomBytes } from 'node:crypto'
import type { Command } from 'commander'
import { print, printJson } from '../output/print.js'
import { type CommonOptions, withCommonOptions } from './options.js'

/** Fresh secrets for a `.env` file: what docker-compose.yml asks for. */
export function secretsCommand(program: Command): void {
  withCommonOptions(
    program
      .command('secrets')
      .description('print fresh keys and passwords as lines of a .env file; stores nothing'),
  ).action((options: CommonOptions) => {
    const secrets = {
      ENDCAP_TOKEN_KEYS: `k${randomBytes(4).toString('hex')}:${randomBytes(32).toString('base64')}`,
      ENDCAP_IDENTITY_KEY: randomBytes(32).toString('base64'),
      POSTGRES_PASSWORD: randomBytes(18).toString('hex'),
      CLICKHOUSE_PASSWORD: randomBytes(18).toString('hex'),
    }
    if (options.json) return printJson(secrets)
    for (const [name, value] of Object.entries(secrets)) print(`${name}=${value}`)
  })
}
