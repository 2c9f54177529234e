import { randomFillSync } from 'node:crypto'
import { V7Generator } from 'uuidv7'

/** What an id names. The prefix is part of the id: `cmp_01932f…`. */
export const ID_PREFIXES = {
  merchant: 'mer',
  listing: 'lst',
  campaign: 'cmp',
  ad: 'ad',
  auction: 'auc',
  interaction: 'int',
  order: 'ord',
  charge: 'chg',
  ledgerTransaction: 'ltx',
  deposit: 'dep',
  refund: 'rfd',
  credit: 'crd',
  clawback: 'clb',
  coupon: 'cpn',
  key: 'key',
  event: 'evt',
  request: 'req',
  model: 'mdl',
} as const

export type IdKind = keyof typeof ID_PREFIXES

/** Makes ids that sort by creation time. Injected, so that tests can fix it. */
export type IdSource = (kind: IdKind) => string

/** Ids from UUID version 7 (RFC 9562): time-ordered, 74 random bits. */
export function createIdSource(): IdSource {
  const generator = new V7Generator({ nextUint32: createRandomWords() })
  return (kind) => `${ID_PREFIXES[kind]}_${hexOf(generator.generate().bytes)}`
}

const hexOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')

/** Secure random numbers, drawn a thousand at a time: asking for them costs more than making them. */
function createRandomWords(): () => number {
  const words = new Uint32Array(1024)
  let next = words.length
  return () => {
    if (next === words.length) {
      randomFillSync(words)
      next = 0
    }
    return words[next++]!
  }
}

/** When an id of `createIdSource` was made; undefined for any other text, the ids that callers choose among them. */
export function madeAtMs(kind: IdKind, id: string): number | undefined {
  const hex = id.startsWith(`${ID_PREFIXES[kind]}_`) ? id.slice(ID_PREFIXES[kind].length + 1) : ''
  return UUID_V7.test(hex) ? Number.parseInt(hex.slice(0, 12), 16) : undefined
}
const UUID_V7 = /^[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$/

/** Ids 1, 2, 3… for tests. */
export const createSequentialIdSource = (): IdSource => {
  let last = 0
  return (kind) => `${ID_PREFIXES[kind]}_${(++last).toString().padStart(8, '0')}`
}
