import Table from 'cli-table3'
import { type CheckList, printChecks } from '../commands/verify.js'
import { print } from '../output/print.js'

/** What `endcap demo --exit --json` prints. */
export interface DemoDocument {
  readonly ok: boolean
  readonly seconds: number
  readonly searches: number
  readonly impressions: number
  readonly clicks: number
  readonly orders: number
  readonly spend: string
  readonly ledgerSum: string
  readonly reportSpend: string
  readonly walletsAndSpendAgree: boolean
  readonly eventsAccepted: number
  readonly eventsStored: number
  readonly eventsLost: number
  readonly eventsDuplicated: number
  readonly overBudget: string
  readonly rank: { readonly p50Ms: number; readonly p99Ms: number }
  readonly model: {
    readonly version: string
    readonly live: boolean
    readonly auc: number | null
    readonly logLoss: number | null
    readonly baseRateLogLoss: number | null
    readonly calibration: number | null
  }
  readonly dataDir: string
  readonly checks: CheckList['checks']
}

/** The demo's end, for people: what happened, whether it adds up, where to look next. */
export function printDemo(document: DemoDocument, url: string): void {
  const table = new Table({ style: { head: [], border: [] } })
  const { rank, model } = document
  table.push(
    ['searches', document.searches],
    ['impressions', document.impressions],
    ['clicks', document.clicks],
    ['orders', document.orders],
    ['spend', `${document.spend} EUR (report: ${document.reportSpend})`],
    ['billed over budget', document.overBudget],
    ['events accepted / stored', `${document.eventsAccepted} / ${document.eventsStored}`],
    ['events lost / doubled', `${document.eventsLost} / ${document.eventsDuplicated}`],
    ['rank p50 / p99, seen by the client', `${rank.p50Ms} / ${rank.p99Ms} ms`],
    ['model', `${model.version} (${model.live ? 'live' : 'not live'})`],
    [
      'log loss / base rate',
      `${model.logLoss?.toFixed(5) ?? '-'} / ${model.baseRateLogLoss?.toFixed(5) ?? '-'}`,
    ],
    ['auc, calibration', `${model.auc?.toFixed(3) ?? '-'}, ${model.calibration?.toFixed(3) ?? '-'}`],
    ['seconds', document.seconds],
  )
  print(table.toString())
  printChecks(document)
  print('Look next:')
  print(`  ${url}/docs                               the API`)
  print(`  npx endcap verify --data-dir ${document.dataDir}   recount (once this has stopped)`)
  print(`  ${document.dataDir}/operator.key          the key for it`)
}
