import { readdirSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { describe, expect, it } from 'vitest'
import { DROP_REASONS, type DropReason } from '../serve/drop-reasons.js'
import { AuctionCaseError, runAuctionCase } from './run-case.js'

const dir = new URL('../../../auction/cases/', import.meta.url)
const files = readdirSync(dir).filter((name) => name.endsWith('.json'))

const cases = files.map((name) => ({
  name: basename(name, '.json'),
  json: JSON.parse(readFileSync(new URL(name, dir), 'utf8')),
}))

/** Reasons that no case can show, and why, in a sentence each. */
const NOT_IN_CASES: Partial<Record<DropReason, string>> = {
  not_recorded:
    'It befalls winners after the auction, when the log cannot be written; a case ends with the auction and writes nothing.',
}

describe('auction cases', () => {
  it('are all there', () => expect(cases.length).toBeGreaterThanOrEqual(70))
  for (const { name, json } of cases) {
    it(name.replaceAll('-', ' '), () => {
      expect(json.expect.slots ?? json.expect.outcomes, 'a case must expect something').toBeDefined()
      expect(runAuctionCase(json).differences).toEqual([])
    })
  }
  it.each(Object.keys(DROP_REASONS))('show %s, or say why they cannot', (reason) => {
    const isExpected = cases.some(({ json }) =>
      (json.expect.outcomes ?? []).some((outcome: { reason?: string }) => outcome.reason === reason),
    )
    expect(isExpected, NOT_IN_CASES[reason as DropReason] ?? 'needs a case').toBe(
      !Object.hasOwn(NOT_IN_CASES, reason),
    )
  })
})

const valid = {
  auctionId: 'auc_1',
  now: '2026-01-05T12:00:00Z',
  campaigns: [{ id: 'c1', merchantId: 'm1', pricing: 'cpc', bid: '0.75', listings: ['L1'] }],
  predictions: { L1: { pctr: 0.03 } },
  request: { placement: 'search', slots: { total: 1, sponsored: [1] } },
}

describe('running a case', () => {
  it('tells where the result is not what the case expects', () => {
    const { differences } = runAuctionCase({
      ...valid,
      expect: {
        slots: [{ position: 1, listingId: 'L1', campaignId: 'c1', price: '0.75' }],
        outcomes: [
          { listingId: 'L1', campaignId: 'c1', outcome: 'won', score: 0.0225 },
          { listingId: 'L9', campaignId: 'c1', outcome: 'won' },
        ],
      },
    })
    expect(differences).toEqual([
      'slots[0]: price: expected "0.75", got "0.000000"',
      'outcome of L9 in c1: expected, but there is none',
    ])
  })
  it.each([
    ['an unknown field', { ...valid, extra: 1 }, '/extra'],
    [
      'a number for money',
      { ...valid, campaigns: [{ ...valid.campaigns[0], bid: 0.75 }] },
      '/campaigns/0/bid',
    ],
    ['a negative bid', { ...valid, campaigns: [{ ...valid.campaigns[0], bid: '-1' }] }, '/campaigns/0/bid'],
    ['an impossible rate', { ...valid, predictions: { L1: { pctr: 1.5 } } }, '/predictions/L1/pctr'],
    ['predictions that are no object', { ...valid, predictions: [] }, '/predictions'],
    ['a missing prediction', { ...valid, predictions: {} }, '/predictions/L1'],
    [
      'a campaign twice',
      { ...valid, campaigns: [valid.campaigns[0], valid.campaigns[0]] },
      '/campaigns/1/id',
    ],
    [
      'a listing of two merchants',
      { ...valid, campaigns: [valid.campaigns[0], { ...valid.campaigns[0], id: 'c2', merchantId: 'm2' }] },
      '/campaigns/1/listings/0',
    ],
    [
      'an ad of a listing that the campaign does not promote',
      { ...valid, campaigns: [{ ...valid.campaigns[0], ads: [{ listingId: 'L2' }] }] },
      '/campaigns/0/ads/0/listingId',
    ],
    [
      'a listing that is described and unknown',
      { ...valid, listings: [{ id: 'L1' }], unknown: { listings: ['L1'] } },
      '/unknown/listings/0',
    ],
    [
      'an unknown merchant of no campaign',
      { ...valid, unknown: { merchants: ['m9'] } },
      '/unknown/merchants/0',
    ],
    [
      'position effects for more slots than are for sale',
      { ...valid, rules: { positionEffects: [1, 0.5] } },
      '/rules/positionEffects',
    ],
    ['no object', 'case', ''],
  ])('refuses %s and names the field', (_, json, path) => {
    let error: unknown
    try {
      runAuctionCase(json)
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(AuctionCaseError)
    expect((error as AuctionCaseError).errors.map((field) => field.path)).toContain(path)
  })
})
