import { randomBytes } from 'node:crypto'
import { type createdKey, createIdSource, createKeyBody, type Scope } from '@endcap/contracts'
import { findMerchants, insertApiKey, newApiKey } from '@endcap/storage/postgres'
import type { Command } from 'commander'
import type { z } from 'zod'
import { commandConfig } from '../host/command-config.js'
import { runningProcess } from '../host/running-process.js'
import { withApi } from '../host/with-api.js'
import { withPorts } from '../host/with-ports.js'
import { print, printJson } from '../output/print.js'
import { type CommonOptions, UsageError, withCommonOptions } from './options.js'

interface CreateOptions extends CommonOptions {
  readonly scope: readonly string[]
  readonly name: string
}

type CreatedKey = z.infer<typeof createdKey>

export function keysCommand(program: Command): void {
  const command = program.command('keys').description('API keys')
  withCommonOptions(
    command
      .command('create')
      .description('make an API key and print it, this once')
      .requiredOption('--scope <scope...>', 'serve, events, reports, orders, operator, or merchant:<id>')
      .option('--name <name>', 'what it is for', 'key'),
  ).action(async (options: CreateOptions) => {
    const body = createKeyBody.safeParse({ name: options.name, scopes: options.scope })
    if (!body.success) throw new UsageError(`--scope ${body.error.issues[0]!.message}`)
    const running = await runningProcess(commandConfig(options).dataDir)
    const created = running
      ? await withApi(options, (api) => api.expect<CreatedKey>(201, 'POST', '/v1/keys', body.data))
      : await createInDatabase(options, body.data.name, body.data.scopes as Scope[])
    if (options.json) printJson(created)
    else print(created.key)
  })
}

const createInDatabase = (
  options: CommonOptions,
  name: string,
  scopes: readonly Scope[],
): Promise<CreatedKey> =>
  withPorts(options, ['postgres'], async ({ ports, clock }) => {
    const ids = createIdSource()
    const merchantIds = scopes.flatMap((scope) =>
      scope.startsWith('merchant:') ? [scope.slice('merchant:'.length)] : [],
    )
    const known = await findMerchants(ports.postgres, merchantIds)
    const unknown = merchantIds.find((id) => !known.has(id))
    if (unknown !== undefined) throw new UsageError(`--scope merchant:${unknown}: there is no such merchant`)
    const { key, hash } = newApiKey(randomBytes)
    const now = new Date(clock())
    const { id } = await ports.postgres.transaction((tx) =>
      insertApiKey(tx, { id: ids('key'), name, hash, scopes }, { ids, now, source: 'endcap' }),
    )
    return { id, name, scopes: [...scopes], key, createdAt: now.toISOString() }
  })
