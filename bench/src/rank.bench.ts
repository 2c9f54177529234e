/**
 * What a rank request costs. One line of JSON each: CPU per request against the floor (a bare echo of the same bodies and a raw run of
 * the same batch) for each kind of model, the share of each step, and latencies alone and beside ingest, reports and training.
 * `cpu`, `steps`, `busy`: only these parts. `--quick`: smaller and shorter, to see that it runs.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { request } from 'undici'
import { measureBusyHost } from './rank/busy-host.js'
import { startChild } from './rank/child.js'
import { AT_FULL_LOAD, createLoad } from './rank/load.js'
import { createBenchMarket, MATCHING_ADS, ORGANIC, SLOTS } from './rank/market.js'
import type { ModelKind } from './rank/model.js'
import { SERVE_KEY } from './rank/serving.js'
import { machine, median, quantile, report } from './report.js'

const quick = process.argv.includes('--quick')
const size = quick ? { topics: 4, requests: 40 } : { topics: 20, requests: 400 }
const WARM_UP = quick ? 400 : 5000
const ROUNDS = quick ? 3 : 72
const A_ROUND = quick ? 300 : 250
const TIMED = quick ? 300 : 3000
/** As many rows as the trainer takes unless it is told otherwise. */
const VISITS = Math.ceil((quick ? 96_000 : 1_000_000) / SLOTS)
/** For what the trainer makes of them. */
const TARGETS: Partial<Record<ModelKind, string>> = { trained: '<= 2.5' }
/** Latencies are asked of a server that is not always busy. */
const AT_HALF_LOAD = 2

const bodies = createBenchMarket(size).requests.map((body) => JSON.stringify(body))

const parts = {
  cpu: async () => {
    await measureCpu('trained')
    await measureCpu('logistic')
  },
  steps: measureSteps,
  busy: () => measureBusyHost({ quick }),
}
const dir = await mkdtemp(join(tmpdir(), 'endcap-bench-models-'))
let trees: Record<string, number> | undefined
const asked = Object.keys(parts).filter((part) => process.argv.includes(part))
for (const [part, measure] of Object.entries(parts)) {
  if (asked.length === 0 || asked.includes(part)) await measure()
}
await rm(dir, { recursive: true, force: true })
process.exit(0)

/** Trained once, by the first part that needs them. */
async function models(): Promise<{ readonly dir: string }> {
  if (!trees) {
    const training = startChild('model-process', { ...size, dir, visits: VISITS })
    trees = await training.call<Record<string, number>>('train')
    await training.close()
  }
  return { dir }
}

async function measureCpu(model: ModelKind): Promise<void> {
  const { dir } = await models()
  const rank = startChild('rank-process', { ...size, timed: false, dir, model })
  const floor = startChild('floor-process', { dir, model })
  const [rankUrl, floorUrl] = await Promise.all([rank.call<string>('listen'), floor.call<string>('listen')])
  const answer = await sampleAnswer(rankUrl)
  await floor.call('answerWith', answer)
  const rankLoad = createLoad({ baseUrl: rankUrl, path: '/v1/rank', key: SERVE_KEY, bodies })
  const echoLoad = createLoad({ baseUrl: floorUrl, path: '/echo', key: SERVE_KEY, bodies })
  const runModel = (runs: number) => floor.call('runModel', { runs, atOnce: AT_FULL_LOAD })

  async function cpuOf(child: typeof rank, count: number, work: () => Promise<unknown>): Promise<number> {
    const before = await child.call<number>('cpuMicros')
    await work()
    return ((await child.call<number>('cpuMicros')) - before) / count
  }

  await rankLoad.send(WARM_UP, AT_FULL_LOAD)
  await echoLoad.send(WARM_UP, AT_FULL_LOAD)
  await runModel(WARM_UP)
  const rounds: { rank: number; echo: number; run: number; ratio: number }[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const ranked = await cpuOf(rank, A_ROUND, () => rankLoad.send(A_ROUND, AT_FULL_LOAD))
    const echoed = await cpuOf(floor, A_ROUND, () => echoLoad.send(A_ROUND, AT_FULL_LOAD))
    const run = await cpuOf(floor, A_ROUND, () => runModel(A_ROUND))
    rounds.push({ rank: ranked, echo: echoed, run, ratio: ranked / (echoed + run) })
  }
  const latencies = await rankLoad.send(TIMED, AT_HALF_LOAD)
  await Promise.all([rankLoad.close(), echoLoad.close()])
  await Promise.all([rank.close(), floor.close()])
  const ratios = rounds.map(({ ratio }) => ratio).sort((a, b) => a - b)
  latencies.sort((a, b) => a - b)
  report('rank', {
    organic: ORGANIC,
    matchingAds: MATCHING_ADS,
    slots: SLOTS,
    sponsored: answer.slots.filter(({ sponsored }) => sponsored).length,
    model,
    ...(model === 'trained' && { trees }),
    modelVersion: answer.modelVersion,
    requestBytes: bodies[0]!.length,
    answerBytes: JSON.stringify(answer).length,
    cpuMicrosPerRequest: median(rounds.map((round) => round.rank)),
    echoCpuMicros: median(rounds.map((round) => round.echo)),
    modelCpuMicros: median(rounds.map((round) => round.run)),
    ratio: median(ratios),
    ratioLeast: ratios[0],
    ratioMost: ratios.at(-1),
    rounds: ROUNDS,
    target: TARGETS[model],
    connections: AT_FULL_LOAD,
    latencyConnections: AT_HALF_LOAD,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
    ...machine(),
  })
}

interface RankAnswer {
  readonly modelVersion: string
  readonly degraded: readonly string[]
  readonly slots: readonly { readonly sponsored: boolean }[]
}

/** One answer, and proof that what is measured is a whole one: full page, sponsored slots, live model. */
async function sampleAnswer(baseUrl: string): Promise<RankAnswer> {
  const answer = await request(`${baseUrl}/v1/rank`, {
    method: 'POST',
    headers: { authorization: `Bearer ${SERVE_KEY}`, 'content-type': 'application/json' },
    body: bodies[0]!,
  })
  const page = (await answer.body.json()) as RankAnswer
  if (
    page.slots.length !== SLOTS ||
    page.degraded.length > 0 ||
    !page.slots.some(({ sponsored }) => sponsored)
  )
    throw new Error(`not a whole answer: ${JSON.stringify(page)}`)
  return page
}

/** One request at a time, so that a step's time is its own; in a process of its own, so that measuring costs the others nothing. */
async function measureSteps(): Promise<void> {
  const rank = startChild('rank-process', {
    ...size,
    timed: true,
    ...(await models()),
    model: 'trained' satisfies ModelKind,
  })
  const load = createLoad({ baseUrl: await rank.call('listen'), path: '/v1/rank', key: SERVE_KEY, bodies })
  await load.send(WARM_UP)
  await rank.call('stepMicros')
  await load.send(TIMED, 1)
  const total = await rank.call<Record<string, number>>('stepMicros')
  await load.close()
  await rank.close()
  const sum = Object.values(total).reduce((a, b) => a + b, 0)
  const steps = Object.entries(total)
  report('rank.steps', {
    requests: TIMED,
    microsPerRequest: sum / TIMED,
    micros: Object.fromEntries(steps.map(([step, micros]) => [step, rounded(micros / TIMED)])),
    share: Object.fromEntries(steps.map(([step, micros]) => [step, rounded(micros / sum)])),
  })
}

function rounded(value: number): number {
  return Number(value.toPrecision(3))
}
