/**
 * What a large index weighs and what a request costs in it: retrieval, filter and auction of a query that 500 ads meet, among a million ads
 * and among ten times fewer; with five ads in each campaign, and with one. One line of JSON each, and one with the ratios. `--quick`: smaller, to see that it runs.
 */
import { startChild } from './rank/child.js'
import { MATCHING } from './rank/large-market.js'
import { machine, report } from './report.js'

interface Measured {
  readonly ads: number
  readonly rssMiB: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Of requests for ads that nobody has asked for before. */
  readonly firstP50Ms: number
  readonly firstP99Ms: number
  /** After all requests. */
  readonly rssAfterMiB: number
}

const quick = process.argv.includes('--quick')
const MANY = quick ? 20_000 : 1_000_000
const FEW = MANY / 10
const REQUESTS = quick ? 50 : 3000
const ADS_PER_CAMPAIGN = 5
/** As the container image runs every role: a young generation in which the garbage of some two hundred requests has room. */
const NODE_FLAGS = ['--max-semi-space-size=64']
const TARGETS = { rssMiB: 1536, p99Ms: 2 }

const few = await measure(FEW, ADS_PER_CAMPAIGN)
const many = await measure(MANY, ADS_PER_CAMPAIGN)
const alone = await measure(MANY, 1)
report('index.ratio', {
  ads: [FEW, MANY],
  p50: many.p50Ms / few.p50Ms,
  p99: many.p99Ms / few.p99Ms,
  oneAdACampaignP50: alone.p50Ms / many.p50Ms,
  targets: TARGETS,
  ...machine(),
})
process.exit(0)

async function measure(ads: number, adsPerCampaign: number): Promise<Measured> {
  const index = startChild('index-process', { ads, adsPerCampaign, requests: REQUESTS }, NODE_FLAGS)
  const measured = await index.call<Measured>('measure')
  await index.close()
  report('index', { adsPerCampaign, matchingAds: MATCHING, ...measured, nodeFlags: NODE_FLAGS.join(' ') })
  return measured
}
