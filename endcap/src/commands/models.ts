import type { Postgres } from '@endcap/platform/postgres'
import { getModel, listModels, type ModelRecord, promoteModel, rollbackModel } from '@endcap/storage/postgres'
import Table from 'cli-table3'
import type { Command } from 'commander'
import { withPorts } from '../host/with-ports.js'
import { print, printJson } from '../output/print.js'
import { type CommonOptions, UsageError, withCommonOptions } from './options.js'

export function modelsCommand(program: Command): void {
  const command = program.command('models').description('the model registry')

  withCommonOptions(command.command('list').description('all models, newest first')).action(
    (options: CommonOptions) =>
      withRegistry(options, async (postgres) => {
        const models = (await listModels(postgres)).map(summary)
        if (options.json) return printJson({ models })
        if (models.length === 0) return print('No model has been trained yet: see endcap train.')
        const table = new Table({
          head: ['version', 'status', 'rows', 'trained at', 'log loss', 'auc'],
          style: { head: [], border: [] },
        })
        for (const model of models) {
          const { logLoss, auc } = model.metrics as { logLoss?: number; auc?: number }
          table.push([
            model.version,
            model.status,
            String(model.trainedRows),
            model.createdAt,
            logLoss?.toFixed(5) ?? '',
            auc?.toFixed(4) ?? '',
          ])
        }
        print(table.toString())
      }),
  )

  withCommonOptions(
    command.command('show').description('one model with its metrics and gate').argument('<version>'),
  ).action((version: string, options: CommonOptions) =>
    withRegistry(options, async (postgres) => {
      const model = summary(await existing(postgres, version))
      if (options.json) printJson(model)
      else
        print(JSON.stringify(model, (_, value) => (typeof value === 'bigint' ? value.toString() : value), 2))
    }),
  )

  withCommonOptions(
    command
      .command('promote')
      .description('make a model live; one that the gate refused needs --force')
      .argument('<version>')
      .option('--force', 'also when the gate refused it'),
  ).action((version: string, options: CommonOptions & { force?: boolean }) =>
    withRegistry(options, async (postgres, now) => {
      const model = await existing(postgres, version)
      if (!(model.gate as { passed?: boolean }).passed && !options.force) {
        throw new UsageError(
          `the gate refused ${version} (endcap models show ${version} says why): promote it with --force`,
        )
      }
      report(
        options,
        await postgres.transaction((tx) =>
          promoteModel(tx, version, { by: 'endcap models promote', now, force: options.force ?? false }),
        ),
      )
    }),
  )

  withCommonOptions(
    command.command('rollback').description('make the previously live model live again'),
  ).action((options: CommonOptions) =>
    withRegistry(options, async (postgres, now) => {
      report(
        options,
        await postgres.transaction((tx) => rollbackModel(tx, { by: 'endcap models rollback', now })),
      )
    }),
  )
}

const withRegistry = (
  options: CommonOptions,
  work: (postgres: Postgres, now: Date) => Promise<void>,
): Promise<void> =>
  withPorts(options, ['postgres'], ({ ports, clock }) => work(ports.postgres, new Date(clock())))

async function existing(postgres: Postgres, version: string): Promise<ModelRecord> {
  const model = await getModel(postgres, version)
  if (!model) throw new UsageError(`there is no model ${version}: see endcap models list`)
  return model
}

const summary = (model: ModelRecord) => ({
  ...model,
  createdAt: model.createdAt.toISOString(),
  promotedAt: model.promotedAt?.toISOString() ?? null,
})

function report(options: CommonOptions, model: ModelRecord): void {
  if (options.json) printJson(summary(model))
  else print(`${model.version} is live; ad-servers pick it up within seconds.`)
}
