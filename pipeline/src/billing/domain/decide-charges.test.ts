import { budgetMonthOf, budgetWeekOf, SUSPICIONS, type Suspicion } from '@endcap/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { applyDecision, decideCharges } from './decide-charges.js'
import {
  type BillableInteraction,
  type BillingState,
  type CampaignLimits,
  counterKey,
  type Decision,
  type InteractionOrTick,
  type Offer,
  TOTAL_PERIOD,
} from './types.js'

const NOON = Date.parse('2026-03-10T12:00:00Z')
const MINUTE = 60_000
const HOUR = 60 * MINUTE

const campaign = (limits: Partial<CampaignLimits> = {}): CampaignLimits => ({
  merchantId: 'm1',
  pricing: 'cpc',
  currency: 'EUR',
  timeZone: 'UTC',
  budgetDailyMicros: undefined,
  budgetWeeklyMicros: undefined,
  budgetMonthlyMicros: undefined,
  budgetTotalMicros: undefined,
  ...limits,
})

const stateOf = (parts: Partial<BillingState> = {}): BillingState => ({
  judged: new Set(),
  slots: new Map(),
  campaigns: new Map([['c1', campaign()]]),
  wallets: new Map([['m1', 1_000_000_000n]]),
  counters: new Map(),
  watermarkMs: 0,
  waiting: [],
  waitingElsewhere: new Set(),
  ...parts,
})

let lastId = 0
interface EventParts {
  readonly id?: string
  readonly auction?: string
  readonly atMs?: number
  /** When it was received; else when it happened. */
  readonly receivedAtMs?: number
  readonly suspicion?: Suspicion
  readonly offer?: Partial<Offer>
  readonly campaignId?: string
  readonly merchantId?: string
}
const event = (type: 'impression' | 'click', parts: EventParts = {}): BillableInteraction => {
  const issuedAtMs = parts.offer?.issuedAtMs ?? NOON
  return {
    interactionId: parts.id ?? `e${++lastId}`,
    type,
    occurredAtMs: parts.atMs ?? issuedAtMs + (type === 'impression' ? MINUTE : MINUTE + 1_000),
    receivedAtMs: parts.receivedAtMs ?? parts.atMs ?? issuedAtMs + MINUTE,
    suspicion: parts.suspicion,
    slot: {
      auctionId: parts.auction ?? 'a1',
      position: 1,
      placement: 'search',
      searchTerm: 'shoes',
      device: 'mobile',
      modelVersion: '',
      listingId: 'l1',
      merchantId: parts.merchantId ?? 'm1',
      campaignId: parts.campaignId ?? 'c1',
      adId: 'ad1',
    },
    offer: {
      pricing: 'cpc',
      priceMicros: 250_000n,
      currency: 'EUR',
      issuedAtMs,
      expiresAtMs: issuedAtMs + 48 * HOUR,
      ...parts.offer,
    },
  }
}
const impression = (parts?: EventParts) => event('impression', parts)
const click = (parts?: EventParts) => event('click', parts)
const cpm = (priceMicros: bigint): Partial<Offer> => ({ pricing: 'cpm', priceMicros })

const outcomes = (decision: Decision) =>
  decision.verdicts.map(({ reason, amountMicros }) => (reason === '' ? amountMicros : reason))

describe('clicks', () => {
  it('charges the click after its impression, and the impression nothing', () => {
    const decision = decideCharges(stateOf(), [impression(), click()])
    expect(outcomes(decision)).toEqual([250_000n])
    expect(decision.wallets.get('m1')).toBe(999_750_000n)
    expect(decision.counters.get(counterKey('c1', TOTAL_PERIOD))?.spentMicros).toBe(250_000n)
    expect(decision.counters.get(counterKey('c1', '2026-03-10'))?.spentMicros).toBe(250_000n)
  })

  it('does not charge a click whose impression came too late to count', () => {
    const late = impression({ atMs: NOON + 2 * HOUR })
    expect(
      outcomes(decideCharges(stateOf(), [late, click({ atMs: NOON + 2 * HOUR + 1 }), laterArrival(16)])),
    ).toEqual(['stale', 'no_impression'])
  })

  it('does not charge a click less than 100 ms after its impression, and charges the next one', () => {
    const seenAt = NOON + MINUTE
    const after = (ms: number) => click({ atMs: seenAt + ms })
    expect(
      outcomes(decideCharges(stateOf(), [impression(), after(0), after(99), after(100), after(101)])),
    ).toEqual(['too_fast', 'too_fast', 250_000n, 'repeat'])
  })

  it('charges a click dated before its impression, whose pixel took longer to load', () => {
    expect(outcomes(decideCharges(stateOf(), [impression(), click({ atMs: NOON + MINUTE - 50 })]))).toEqual([
      250_000n,
    ])
  })

  it.each(SUSPICIONS)('does not charge a click that is suspicious: %s', (suspicion) => {
    const decision = decideCharges(stateOf(), [impression(), click({ suspicion }), click()])
    expect(outcomes(decision)).toEqual([suspicion, 250_000n])
    expect(decision.verdicts[0]).toMatchObject({ outcome: 'not_charged', priceMicros: 250_000n })
  })

  it.each(SUSPICIONS)('takes an impression that is suspicious for none: %s', (suspicion) => {
    const seen = impression({ suspicion })
    const suspect = decideCharges(stateOf(), [seen, click({ suspicion }), click(), laterArrival(16)])
    expect(suspect.verdicts.map(({ interaction: { type }, reason }) => [type, reason])).toEqual([
      ['impression', suspicion],
      ['click', suspicion],
      ['click', 'no_impression'],
    ])
  })

  it.each(SUSPICIONS)('does not charge a cpm impression that is suspicious: %s', (suspicion) => {
    const offer = cpm(5_000_000n)
    expect(
      outcomes(decideCharges(stateOf(), [impression({ suspicion, offer }), impression({ offer })])),
    ).toEqual([suspicion, 5_000n])
  })

  it('charges a click up to the last millisecond of 24 hours, and none after', () => {
    const at = (atMs: number) => outcomes(decideCharges(stateOf(), [impression(), click({ atMs })]))
    expect(at(NOON + 24 * HOUR - 1)).toEqual([250_000n])
    expect(at(NOON + 24 * HOUR)).toEqual(['stale'])
  })

  it('does not charge a click on an expired token', () => {
    const offer = { expiresAtMs: NOON + HOUR }
    expect(
      outcomes(decideCharges(stateOf(), [impression({ offer }), click({ offer, atMs: NOON + HOUR })])),
    ).toEqual(['stale'])
  })

  it('does not charge a click dated into the past, where another day would pay for it', () => {
    const atMs = NOON - 24 * HOUR
    expect(outcomes(decideCharges(stateOf(), [impression(), click({ atMs })]))).toEqual(['stale'])
  })

  it('charges the first of many clicks on one impression', () => {
    const clicks = Array.from({ length: 50 }, () => click())
    expect(outcomes(decideCharges(stateOf(), [impression(), ...clicks]))).toEqual([
      250_000n,
      ...Array.from({ length: 49 }, () => 'repeat'),
    ])
  })

  it('does not charge a slot again whose impression was forgotten and sent anew', () => {
    const paid = { impression: undefined, clickId: undefined, charged: true }
    const state = stateOf({ slots: new Map([['1/a1', paid]]) })
    expect(outcomes(decideCharges(state, [impression(), click()]))).toEqual(['repeat'])
  })
})

/** Another slot's impression that arrives so many minutes after two hours past noon: the log's own time comes so far. */
const laterArrival = (minutes: number) =>
  impression({
    auction: `later-${minutes}`,
    atMs: NOON + 2 * HOUR + minutes * MINUTE,
    offer: { issuedAtMs: NOON + 2 * HOUR },
  })

describe('clicks before their impression', () => {
  const arriving = (auction: string, minutes: number) =>
    impression({ auction, offer: { issuedAtMs: NOON + minutes * MINUTE }, atMs: NOON + minutes * MINUTE })
  const early = (parts?: EventParts) => click({ atMs: NOON + 1_000, ...parts })
  const seen = (parts?: EventParts) => impression({ atMs: NOON + 500, ...parts })

  it('are judged when the impression comes, in the order in which they came', () => {
    const decision = decideCharges(stateOf(), [early({ id: 'first' }), early({ id: 'second' }), seen()])
    expect(decision.verdicts.map(({ interaction, reason }) => [interaction.interactionId, reason])).toEqual([
      ['first', ''],
      ['second', 'repeat'],
    ])
    expect(decision.waits).toEqual([])
  })

  it('wait while the log has not come 15 minutes further, and no longer', () => {
    const waiting = decideCharges(stateOf(), [early(), arriving('other', 15)])
    expect([waiting.verdicts, waiting.waits.length]).toEqual([[], 1])
    const inTime = arriving('other', 15)
    expect(outcomes(decideCharges(stateOf(), [early(), inTime, seen()]))).toEqual([250_000n])
    const past = impression({ auction: 'past', atMs: NOON + 15 * MINUTE + 1_000 })
    const tooLate = decideCharges(stateOf(), [early(), past, seen()])
    expect(outcomes(tooLate)).toEqual(['no_impression'])
    expect(tooLate.waits).toEqual([])
  })

  it('wait no longer once a tick says that 15 minutes have passed, and not one of less', () => {
    const tick = (minutes: number) => ({ type: 'tick' as const, atMs: NOON + minutes * MINUTE })
    const arrived = early({ atMs: NOON })
    const inTime = decideCharges(stateOf(), [arrived, tick(14), seen()])
    expect(outcomes(inTime)).toEqual([250_000n])
    const tooLate = decideCharges(stateOf(), [arrived, tick(15), seen()])
    expect([outcomes(tooLate), tooLate.waits, tooLate.free.length]).toEqual([['no_impression'], [], 1])
    const alone = decideCharges(applyDecision(stateOf(), decideCharges(stateOf(), [arrived])), [tick(15)])
    expect([outcomes(alone), alone.waited.length]).toEqual([['no_impression'], 1])
    // One that comes late says nothing new.
    expect(decideCharges(stateOf(), [arriving('other', 20), tick(15)]).watermarkMs).toBe(NOON + 20 * MINUTE)
  })

  it('are one click, however often they are sent while they wait', () => {
    const sent = early()
    const waiting = decideCharges(stateOf(), [sent, sent])
    expect(waiting.waits).toHaveLength(1)
    const again = decideCharges(applyDecision(stateOf(), waiting), [sent, seen(), sent])
    expect(outcomes(again)).toEqual([250_000n])
    expect(again.waited).toHaveLength(1)
  })

  it('are one click with any other event of their id, on whatever slot, also in other batches', () => {
    const other = { auction: 'other' }
    const first = decideCharges(stateOf(), [early({ id: 'x' }), seen(other), early({ id: 'x', ...other })])
    expect([first.verdicts, first.waits.length]).toEqual([[], 1])
    const elsewhere = stateOf({ waitingElsewhere: new Set(['x']) })
    expect(decideCharges(elsewhere, [seen(other), early({ id: 'x', ...other })]).verdicts).toEqual([])
    const judgedMeanwhile = { ...applyDecision(stateOf(), first), judged: new Set(['x']) }
    const woken = decideCharges(judgedMeanwhile, [seen()])
    expect([woken.verdicts, woken.waited.length]).toEqual([[], 1])
    const free = seen({ id: 'free' })
    expect(decideCharges(stateOf(), [free, early({ id: 'free' })]).verdicts).toEqual([])
  })

  it('do not wait for years because one event claims to have arrived years ahead', () => {
    const ahead = impression({ auction: 'ahead', receivedAtMs: NOON + 10_000 * HOUR })
    const twoDaysOn = arriving('other', 49 * 60)
    const decision = decideCharges(stateOf(), [ahead, early(), twoDaysOn])
    expect(outcomes(decision)).toEqual(['no_impression'])
  })

  it('do not wait when they are stale or suspicious themselves', () => {
    const decision = decideCharges(stateOf(), [
      click({ atMs: NOON + 24 * HOUR }),
      click({ suspicion: 'bot' }),
    ])
    expect(outcomes(decision)).toEqual(['stale', 'bot'])
  })

  it('of a campaign priced by impressions are valid and free once seen', () => {
    const offer = cpm(5_000_000n)
    const decision = decideCharges(stateOf(), [early({ id: 'c', offer }), seen({ id: 'i', offer })])
    expect(outcomes(decision)).toEqual([5_000n])
    expect(decision.free.map(({ interactionId }) => interactionId)).toEqual(['c'])
  })
})

describe('impressions', () => {
  it('charges an impression up to the last millisecond of two hours, and none after', () => {
    const at = (atMs: number) =>
      outcomes(decideCharges(stateOf(), [impression({ atMs, offer: cpm(5_000_000n) })]))
    expect(at(NOON + 2 * HOUR - 1)).toEqual([5_000n])
    expect(at(NOON + 2 * HOUR)).toEqual(['stale'])
  })

  it('charges the first impression of a slot only, and its click nothing', () => {
    const offer = cpm(5_000_000n)
    const decision = decideCharges(stateOf(), [
      impression({ offer }),
      impression({ offer }),
      click({ offer }),
    ])
    expect(outcomes(decision)).toEqual([5_000n, 'repeat'])
  })

  it('records the second impression of a click-priced slot as a repeat that would have cost nothing', () => {
    const decision = decideCharges(stateOf(), [impression(), impression()])
    expect(decision.verdicts).toMatchObject([{ reason: 'repeat', priceMicros: 0n }])
  })

  it('makes a thousand impressions cost exactly one price, whatever the price', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 12n }), (priceMicros) => {
        const shown = Array.from({ length: 1000 }, (_, index) =>
          impression({ auction: `a${index}`, offer: cpm(priceMicros) }),
        )
        const state = stateOf({ wallets: new Map([['m1', 10n ** 18n]]) })
        const total = decideCharges(state, shown).counters.get(counterKey('c1', TOTAL_PERIOD))
        expect(total).toMatchObject({ spentMicros: priceMicros, carry: 0n })
      }),
      { numRuns: 20 },
    )
  })
})

describe('limits', () => {
  const impressionsAndClicks = (count: number, parts: EventParts = {}) =>
    Array.from({ length: count }, (_, index) => [
      impression({ ...parts, auction: `a${index}` }),
      click({ ...parts, auction: `a${index}` }),
    ]).flat()

  it('names the limit that stopped a charge, the total budget first, and keeps its price', () => {
    const limited = (limits: Partial<CampaignLimits>, balance = 10_000_000n) =>
      decideCharges(
        stateOf({
          campaigns: new Map([['c1', campaign(limits)]]),
          wallets: new Map([['m1', balance]]),
        }),
        impressionsAndClicks(1),
      ).verdicts[0]
    const over = { outcome: 'not_charged', amountMicros: 0n, priceMicros: 250_000n }
    expect(limited({ budgetTotalMicros: 249_999n, budgetDailyMicros: 1n }, 0n)).toMatchObject({
      ...over,
      reason: 'over_budget_total',
    })
    expect(
      limited({ budgetMonthlyMicros: 249_999n, budgetWeeklyMicros: 1n, budgetDailyMicros: 1n }, 0n),
    ).toMatchObject({ ...over, reason: 'over_budget_month' })
    expect(limited({ budgetWeeklyMicros: 249_999n, budgetDailyMicros: 1n }, 0n)).toMatchObject({
      ...over,
      reason: 'over_budget_week',
    })
    expect(limited({ budgetDailyMicros: 249_999n }, 0n)).toMatchObject({ ...over, reason: 'over_budget_day' })
    expect(limited({}, 249_999n)).toMatchObject({ ...over, reason: 'over_wallet' })
    const enough = {
      budgetTotalMicros: 250_000n,
      budgetMonthlyMicros: 250_000n,
      budgetWeeklyMicros: 250_000n,
      budgetDailyMicros: 250_000n,
    }
    expect(limited(enough, 250_000n)).toMatchObject({
      outcome: 'charged',
      amountMicros: 250_000n,
    })
  })

  it('charges 137 of 1,000 clicks on a budget that pays for 137', () => {
    const state = stateOf({ campaigns: new Map([['c1', campaign({ budgetTotalMicros: 137n * 250_000n })]]) })
    const charged = decideCharges(state, impressionsAndClicks(1000)).verdicts.filter(
      (v) => v.outcome === 'charged',
    )
    expect(charged).toHaveLength(137)
  })

  it('bills one impression on a budget that pays for one, and nothing over', () => {
    const state = stateOf({ campaigns: new Map([['c1', campaign({ budgetTotalMicros: 5_000n })]]) })
    const shown = [1, 2, 3].map((n) => impression({ auction: `a${n}`, offer: cpm(5_000_000n) }))
    expect(outcomes(decideCharges(state, shown))).toEqual([5_000n, 'over_budget_total', 'over_budget_total'])
  })

  it("counts a charge to the merchant's own calendar day", () => {
    const state = stateOf({
      campaigns: new Map([
        ['c1', campaign({ timeZone: 'America/Los_Angeles', budgetDailyMicros: 250_000n })],
      ]),
    })
    const before = Date.parse('2026-03-11T06:59:30Z')
    const pairs = [before, before + MINUTE].flatMap((atMs, index) => {
      const parts = { auction: `a${index}`, offer: { issuedAtMs: before } }
      return [impression({ ...parts, atMs: before - 1_000 }), click({ ...parts, atMs })]
    })
    const decision = decideCharges(state, pairs)
    expect(decision.verdicts.map((verdict) => [verdict.budgetDay, verdict.reason])).toEqual([
      ['2026-03-10', ''],
      ['2026-03-11', ''],
    ])
  })
})

describe('weeks and months', () => {
  /** What is charged of one click a day at 1.00 from Saturday the 28th of March on. */
  const chargedOf = (limits: Partial<CampaignLimits>, days: number) => {
    const state = stateOf({ campaigns: new Map([['c1', campaign(limits)]]) })
    const events = Array.from({ length: days }, (_, day) => {
      const issuedAtMs = Date.parse('2026-03-28T12:00:00Z') + day * 24 * HOUR
      const parts = { auction: `a${day}`, offer: { issuedAtMs, priceMicros: 1_000_000n } }
      return [impression(parts), click(parts)]
    }).flat()
    return decideCharges(state, events)
      .verdicts.filter(({ outcome }) => outcome === 'charged')
      .map(({ budgetDay }) => budgetDay.slice(5))
  }

  it('begin anew on Monday', () => {
    expect(chargedOf({ budgetWeeklyMicros: 3_000_000n }, 10)).toEqual([
      '03-28',
      '03-29',
      '03-30',
      '03-31',
      '04-01',
      '04-06',
    ])
  })

  it('begin anew on the first', () => {
    expect(chargedOf({ budgetMonthlyMicros: 2_000_000n }, 10)).toEqual(['03-28', '03-29', '04-01', '04-02'])
  })
})

describe('whom it concerns', () => {
  it('keeps a verdict for a forged token of a campaign that exists, and never charges it', () => {
    const forged = { ...impression(), offer: undefined }
    expect(decideCharges(stateOf(), [forged, forged]).verdicts).toMatchObject([
      { reason: 'token_invalid', amountMicros: 0n, priceMicros: 0n },
    ])
  })

  it.each([
    ['token_invalid', { ...click({ merchantId: 'm2' }), offer: undefined }],
    ['campaign_unknown', click({ campaignId: 'c2' })],
    ['merchant_mismatch', click({ merchantId: 'm2' })],
    ['currency_mismatch', click({ offer: { currency: 'USD' } })],
  ] as const)('writes nothing where nobody can be charged: %s', (reason, interaction) => {
    const decision = decideCharges(stateOf(), [interaction])
    expect(decision.unplaced).toEqual([{ interaction, reason }])
    expect(decision.verdicts).toEqual([])
  })
})

describe('always', () => {
  const CAMPAIGNS = ['c1', 'c2', 'c3', 'c4']
  const arbitraryState = fc
    .record({
      limits: fc.array(
        fc.record({
          daily: fc.option(fc.bigInt({ min: 1n, max: 3_000n }), { nil: undefined }),
          weekly: fc.option(fc.bigInt({ min: 1n, max: 4_000n }), { nil: undefined }),
          monthly: fc.option(fc.bigInt({ min: 1n, max: 4_500n }), { nil: undefined }),
          total: fc.option(fc.bigInt({ min: 1n, max: 5_000n }), { nil: undefined }),
        }),
        { minLength: 4, maxLength: 4 },
      ),
      wallets: fc.array(fc.bigInt({ min: 0n, max: 6_000n }), { minLength: 2, maxLength: 2 }),
    })
    .map(({ limits, wallets }) =>
      stateOf({
        campaigns: new Map(
          CAMPAIGNS.map((id, index) => [
            id,
            campaign({
              merchantId: `m${(index % 2) + 1}`,
              timeZone: index % 2 === 0 ? 'Asia/Tokyo' : 'UTC',
              budgetDailyMicros: limits[index]!.daily,
              budgetWeeklyMicros: limits[index]!.weekly,
              budgetMonthlyMicros: limits[index]!.monthly,
              budgetTotalMicros: limits[index]!.total,
            }),
          ]),
        ),
        wallets: new Map(wallets.map((balance, index) => [`m${index + 1}`, balance])),
      }),
    )
  const arbitraryEvent = fc
    .record({
      type: fc.constantFrom('impression' as const, 'click' as const),
      slot: fc.nat({ max: 30 }),
      // Few ids, so that the same event comes again.
      id: fc.nat({ max: 60 }),
      hours: fc.constantFrom(0, 0, 0, 1, 3, 20, 30),
      // Arrivals out of order, some far enough apart to end a wait.
      delayed: fc.constantFrom(0, 0, 0, 10, 20, 900),
      suspicion: fc.option(fc.constantFrom(...SUSPICIONS), { nil: undefined, freq: 12 }),
    })
    .map(({ type, slot, id, hours, delayed, suspicion }) => {
      const index = slot % 4
      const parts: EventParts = {
        id: `${type}-${slot}-${id % 3}`,
        auction: `a${slot}`,
        campaignId: CAMPAIGNS[index]!,
        merchantId: `m${(index % 2) + 1}`,
        atMs: NOON + hours * HOUR + (type === 'click' ? 100 : 0),
        receivedAtMs: NOON + hours * HOUR + delayed * MINUTE,
        ...(suspicion && { suspicion }),
        offer: index < 2 ? { priceMicros: BigInt(100 + slot * 7) } : cpm(BigInt(100_000 + slot * 777)),
      }
      return event(type, parts)
    })
  const arbitraryEvents = fc.array(arbitraryEvent, { maxLength: 120 })
  const arbitraryTick = fc
    .integer({ min: 0, max: 31 * 60 })
    .map((minutes): InteractionOrTick => ({ type: 'tick', atMs: NOON + minutes * MINUTE }))
  const arbitraryLog = fc.array(
    fc.oneof({ weight: 15, arbitrary: arbitraryEvent }, { weight: 1, arbitrary: arbitraryTick }),
    { maxLength: 120 },
  )

  it('never charges beyond a campaign, day or wallet limit, and moves exactly what it charges', () => {
    fc.assert(
      fc.property(arbitraryState, arbitraryEvents, (state, events) => {
        const decision = decideCharges(state, events)
        for (const [id, limits] of state.campaigns) {
          const own = decision.verdicts.filter((verdict) => verdict.interaction.slot.campaignId === id)
          const sum = (verdicts: typeof own) =>
            verdicts.reduce((total, verdict) => total + verdict.amountMicros, 0n)
          expect(decision.counters.get(counterKey(id, TOTAL_PERIOD))?.spentMicros ?? 0n).toBe(sum(own))
          if (limits.budgetTotalMicros !== undefined) expect(sum(own) <= limits.budgetTotalMicros).toBe(true)
          for (const [periodOf, limit] of [
            [(day: string) => day, limits.budgetDailyMicros],
            [budgetWeekOf, limits.budgetWeeklyMicros],
            [budgetMonthOf, limits.budgetMonthlyMicros],
          ] as const) {
            for (const period of new Set(own.map((verdict) => periodOf(verdict.budgetDay)))) {
              const spent = sum(own.filter((verdict) => periodOf(verdict.budgetDay) === period))
              expect(decision.counters.get(counterKey(id, period))?.spentMicros ?? 0n).toBe(spent)
              if (limit !== undefined) expect(spent <= limit).toBe(true)
            }
          }
        }
        for (const [merchantId, balance] of state.wallets) {
          const spent = decision.verdicts
            .filter((verdict) => verdict.interaction.slot.merchantId === merchantId)
            .reduce((total, verdict) => total + verdict.amountMicros, 0n)
          const left = decision.wallets.get(merchantId) ?? balance
          expect(left).toBe(balance - spent)
          expect(left >= 0n).toBe(true)
        }
      }),
    )
  })

  it('gives every interaction exactly one verdict, or lets it wait, and every slot one charge', () => {
    fc.assert(
      fc.property(arbitraryState, arbitraryEvents, (state, events) => {
        const { verdicts, free, waits } = decideCharges(state, events)
        const ids = [
          ...verdicts.map((verdict) => verdict.interaction.interactionId),
          ...free.map(({ interactionId }) => interactionId),
          ...waits.map(({ interaction }) => interaction.interactionId),
        ]
        expect([...ids].sort()).toEqual([...new Set(events.map(({ interactionId }) => interactionId))].sort())
        const charged = verdicts.filter((verdict) => verdict.outcome === 'charged')
        expect(new Set(charged.map((verdict) => verdict.interaction.slot.auctionId)).size).toBe(
          charged.length,
        )
      }),
    )
  })

  it('decides the same however the log is cut into batches', () => {
    fc.assert(
      fc.property(arbitraryState, arbitraryLog, fc.nat({ max: 120 }), (state, events, cut) => {
        const whole = decideCharges(state, events)
        const first = decideCharges(state, events.slice(0, cut))
        const second = decideCharges(applyDecision(state, first), events.slice(cut))
        expect([...first.verdicts, ...second.verdicts]).toEqual(whole.verdicts)
        expect([...first.free, ...second.free]).toEqual(whole.free)
        expect(applyDecision(applyDecision(state, first), second)).toEqual(applyDecision(state, whole))
      }),
    )
  })

  it('changes nothing when everything is delivered again', () => {
    fc.assert(
      fc.property(arbitraryState, arbitraryLog, (state, events) => {
        const after = applyDecision(state, decideCharges(state, events))
        const again = decideCharges(after, events)
        expect(again.verdicts).toEqual([])
        expect(again.impressions).toEqual([])
        expect(applyDecision(after, again)).toEqual(after)
      }),
    )
  })
})
