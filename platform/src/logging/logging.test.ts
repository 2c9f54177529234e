import { Writable } from 'node:stream'
import { createTokenSealer, PAGE_RANDOM_BYTES } from '@endcap/contracts'
import { describe, expect, it } from 'vitest'
import { createLogger } from './create-logger.js'
import { scrubSecrets } from './scrub-secrets.js'

function logged(write: (logger: ReturnType<typeof createLogger>) => void): string {
  const lines: string[] = []
  const destination = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk))
      done()
    },
  })
  write(createLogger({ level: 'debug', service: 'test', destination }))
  return lines.join('')
}

const KEY_32 = Buffer.alloc(32, 200).toString('base64')
const SLOT_TOKEN = createTokenSealer([{ id: 'k1', secret: Buffer.alloc(32, 1) }]).seal(
  {
    auctionId: 'auc_1',
    position: 1,
    placement: 'search',
    searchTerm: '',
    device: 'mobile',
    modelVersion: '',
    listingId: 'L1',
    merchantId: 'mer_1',
    sponsored: true,
    campaignId: 'cmp_1',
    adId: 'ad_1',
    pricing: 'cpc',
    priceMicros: 1n,
    currency: 'EUR',
    issuedAtMs: 0,
    expiresAtMs: 1,
  },
  Buffer.alloc(PAGE_RANDOM_BYTES),
)

describe('a log line', () => {
  it.each([
    ['an API key in a sentence', 'key ek_live_abc123DEF was refused', 'abc123DEF'],
    ['a bearer header in a sentence', 'sent Authorization: Bearer whatever-secret', 'whatever-secret'],
    ['a database password', 'cannot reach postgres://endcap:s3cr3t@db:5432/endcap', 's3cr3t'],
    ['a password that holds an @', 'redis://:p@ss@cache:6379', 'p@ss'],
    ['a token key with its id', `ENDCAP_TOKEN_KEYS=k1:${KEY_32}`, KEY_32],
    ['a slot token in an address', `GET /t/c/${SLOT_TOKEN}?x=1`, SLOT_TOKEN],
  ])('never holds %s, in the message, a field, a nested field or an error', (_what, text, secret) => {
    const lines = logged((logger) => {
      logger.info(text)
      logger.info({ detail: text, nested: { deep: [text] } }, 'fields')
      logger.error({ err: new Error(text) }, 'an error')
      logger.info({ json: JSON.stringify({ text }) }, 'JSON in a field')
    })
    expect(lines.trim().split('\n')).toHaveLength(4)
    expect(lines).not.toContain(secret)
    for (const line of lines.trim().split('\n')) expect(() => JSON.parse(line)).not.toThrow()
  })

  it.each(['authorization', 'password', 'token', 'apiKey', 'secret'])(
    'never holds the value of a field named %s',
    (name) => {
      const lines = logged((logger) => logger.info({ request: { headers: { [name]: 'open sesame' } } }, 'x'))
      expect(lines).not.toContain('sesame')
      expect(JSON.parse(lines)).toMatchObject({ service: 'test', level: 'info' })
    },
  )

  it('keeps what is no secret', () => {
    for (const text of [
      'http://localhost:8080/v1/rank',
      'at 12:30, mail a@b.example',
      'auc_0193 won',
      'https://a.example/@me:x',
    ]) {
      expect(scrubSecrets(text)).toBe(text)
    }
    expect(scrubSecrets('postgres://endcap:s3cr3t@db:5432/endcap')).toBe(
      'postgres://endcap:[hidden]@db:5432/endcap',
    )
  })
})
