import {
  type Clawback,
  type ClawbackFilter,
  type CreateClawbackBody,
  EndcapError,
  type FieldError,
  MAX_CLAWED_BACK,
  TOPICS,
} from '@endcap/contracts'
import { ClickHouseError } from '@endcap/platform/clickhouse'
import type { Transaction } from '@endcap/platform/postgres'
import { chargeSlots, interactionsOfAddress } from '@endcap/storage/clickhouse'
import { appendToOutbox, postLedger, walletBalances } from '@endcap/storage/postgres'
import type { CampaignsApiDeps } from '../../deps.js'
import {
  type ChargeSlot,
  clawbackEventOf,
  clawbackKeyOf,
  clawedBackByCampaign,
  type MadeCharge,
  spendReductions,
} from '../../domain/clawback.js'
import { chargesById, chargesMatching, insertClawback, reduceSpend } from '../../store/clawbacks.js'

/** Reports are restated from raw rows, which are kept a little longer than this. */
const MAX_AGE_DAYS = 365
const DAY_MS = 86_400_000
const MAX_FIELD_ERRORS = 20
const IDS_PER_QUERY = 5_000
/** An address with more interactions than this within a period needs a shorter one. */
const MAX_INTERACTIONS = 100_000

/**
 * Gives charges back that were found invalid: each once, however often and by whomever it is asked for. The wallet gains what the
 * platform's refunds account gives, the campaign's spend falls in the periods that the charge counted against, and an event makes
 * reports restate the day of the charge.
 *
 * @throws validation_failed naming the charge or the field; unavailable while the report store does not answer or lacks a charge
 */
export async function createClawback(
  tx: Transaction,
  deps: CampaignsApiDeps,
  requestedBy: string,
  body: CreateClawbackBody,
): Promise<Clawback> {
  const now = new Date(deps.clock())
  const oldestMs = now.getTime() - MAX_AGE_DAYS * DAY_MS
  const asked = body.charges
    ? await chargesNamed(tx, body.charges, oldestMs)
    : await chargesFiltered(tx, deps, body.filter!, oldestMs)
  const due = asked.filter(({ clawedBack }) => !clawedBack)
  if (body.dryRun) return answer(undefined, body, asked, due)

  const slots = await slotsOf(deps, due)
  const merchantIds = [...new Set(due.map(({ merchantId }) => merchantId))]
  // Locked before anything is written, as billing does: two transactions over one wallet follow each other.
  await walletBalances(tx, merchantIds, { forUpdate: true })
  const clawback = { id: deps.ids('clawback'), reason: body.reason, requestedBy, createdAt: now }
  const mine = await insertClawback(tx, clawback, due)
  const given = due.filter(({ id }) => mine.has(id))
  await reduceSpend(tx, spendReductions(given), now)
  await postLedger(
    tx,
    given.filter(({ amountMicros }) => amountMicros > 0n).map(ledgerTransactionOf(now)),
    now,
  )
  await appendToOutbox(
    tx,
    TOPICS.charges,
    given.map((charge) => ({
      key: charge.merchantId,
      make: () => clawbackEventOf(charge, slots.get(charge.id)!, clawback),
    })),
  )
  return answer(clawback, body, asked, given)
}

const answer = (
  clawback: { readonly id: string; readonly createdAt: Date } | undefined,
  { reason, dryRun }: CreateClawbackBody,
  asked: readonly MadeCharge[],
  given: readonly MadeCharge[],
): Clawback => ({
  id: clawback?.id ?? null,
  reason,
  dryRun,
  charges: given.length,
  alreadyClawedBack: asked.length - given.length,
  campaigns: clawedBackByCampaign(given),
  createdAt: clawback?.createdAt.toISOString() ?? null,
})

const ledgerTransactionOf =
  (now: Date) =>
  ({ id, merchantId, currency, amountMicros }: MadeCharge) => ({
    transactionId: clawbackKeyOf(id),
    kind: 'clawback' as const,
    currency,
    occurredAt: now,
    reference: id,
    entries: [
      { account: { kind: 'wallet' as const, merchantId, currency }, amountMicros },
      { account: { kind: 'refunds' as const, currency }, amountMicros: -amountMicros },
    ],
  })

async function chargesNamed(
  tx: Transaction,
  ids: readonly string[],
  oldestMs: number,
): Promise<readonly MadeCharge[]> {
  const found = new Map((await chargesById(tx, ids)).map((charge) => [charge.id, charge]))
  const problems: FieldError[] = []
  const seen = new Set<string>()
  for (const [index, id] of ids.entries()) {
    const path = `/charges/${index}`
    const charge = found.get(id)
    if (!charge) problems.push({ path, message: 'is not a charge that was made' })
    else if (charge.occurredAt.getTime() < oldestMs)
      problems.push({ path, message: `is older than ${MAX_AGE_DAYS} days` })
    else if (seen.has(id)) problems.push({ path, message: 'stands twice in the list' })
    seen.add(id)
  }
  if (problems.length > 0) {
    throw new EndcapError(
      'validation_failed',
      `${problems.length} of these charges cannot be given back`,
      problems.slice(0, MAX_FIELD_ERRORS),
    )
  }
  return [...found.values()]
}

async function chargesFiltered(
  tx: Transaction,
  deps: CampaignsApiDeps,
  filter: ClawbackFilter,
  oldestMs: number,
): Promise<readonly MadeCharge[]> {
  const [fromMs, toMs] = [Date.parse(filter.from), Date.parse(filter.to)]
  if (fromMs < oldestMs) throw refused('/filter/from', `must be at most ${MAX_AGE_DAYS} days ago`)
  const { addressHash, campaignId } = filter
  const interactionIds =
    addressHash === undefined ? undefined : await interactionsFrom(deps, addressHash, fromMs, toMs)
  const charges = await chargesMatching(tx, {
    campaignId,
    interactionIds,
    from: new Date(fromMs),
    to: new Date(toMs),
    limit: MAX_CLAWED_BACK + 1,
  })
  if (charges.length > MAX_CLAWED_BACK) throw tooMany(`matches more than ${MAX_CLAWED_BACK} charges`)
  return charges
}

const refused = (path: string, message: string) =>
  new EndcapError('validation_failed', 'the filter cannot be used', [{ path, message }])
const tooMany = (message: string) => refused('/filter/to', `${message}: choose a shorter period`)

async function interactionsFrom(
  deps: CampaignsApiDeps,
  addressHash: string,
  fromMs: number,
  toMs: number,
): Promise<readonly string[]> {
  const limit = MAX_INTERACTIONS + 1
  const rows = await fromReports(
    deps.clickhouse.query(interactionsOfAddress, { addressHash, fromMs, toMs, limit }),
  )
  if (rows.length > MAX_INTERACTIONS) throw tooMany(`matches more than ${MAX_INTERACTIONS} interactions`)
  return rows.map(({ eventId }) => eventId)
}

/** Where the charges were shown: only the report store knows, and without it the report could not be restated. */
async function slotsOf(
  deps: CampaignsApiDeps,
  charges: readonly MadeCharge[],
): Promise<ReadonlyMap<string, ChargeSlot>> {
  const slots = new Map<string, ChargeSlot>()
  for (let start = 0; start < charges.length; start += IDS_PER_QUERY) {
    const slice = charges.slice(start, start + IDS_PER_QUERY)
    const rows = await fromReports(
      deps.clickhouse.query(chargeSlots, {
        ids: slice.map(({ id }) => id),
        atMs: slice.map(({ occurredAt }) => occurredAt.getTime()),
      }),
    )
    for (const { chargeId, ...slot } of rows) slots.set(chargeId, slot)
  }
  const missing = charges.find(({ id }) => !slots.has(id))
  if (missing) {
    throw new EndcapError(
      'unavailable',
      `the report store does not hold ${missing.id} yet; if that lasts, see \`endcap verify\``,
    )
  }
  return slots
}

async function fromReports<T>(query: Promise<T>): Promise<T> {
  try {
    return await query
  } catch (error) {
    if (error instanceof ClickHouseError && error.retryable)
      throw new EndcapError('unavailable', 'the report store cannot be reached')
    throw error
  }
}
