import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'

/** What may be told of a stored key. */
export interface KeyFacts {
  readonly id: string
  readonly name: string
  readonly scopes: readonly string[]
  readonly createdAt: Date
  readonly revokedAt: Date | null
}

/** The key as the API lists it: never the key itself, nor its hash. */
export const keyAnswer = (key: KeyFacts) => ({
  id: key.id,
  name: key.name,
  scopes: [...key.scopes],
  createdAt: key.createdAt.toISOString(),
  revokedAt: key.revokedAt?.toISOString() ?? null,
})

const NONCE_BYTES = 12
const TAG_BYTES = 16

/**
 * Seals a new key for the one who asked for it (AES-256-GCM under a key derived from the asker's own). The first answer to a
 * call is stored, to be given again to a repetition: so sealed it can be, while the database still knows no key.
 */
export function sealKey(key: string, askerKey: string, randomBytes: (size: number) => Buffer): string {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', sealingKey(askerKey), nonce)
  return Buffer.concat([nonce, cipher.update(key, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString(
    'base64url',
  )
}

/** Opens what `sealKey` made. @throws when it was sealed for somebody else */
export function unsealKey(sealed: string, askerKey: string): string {
  const bytes = Buffer.from(sealed, 'base64url')
  const decipher = createDecipheriv('aes-256-gcm', sealingKey(askerKey), bytes.subarray(0, NONCE_BYTES))
  decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES))
  const text = decipher.update(bytes.subarray(NONCE_BYTES, bytes.length - TAG_BYTES), undefined, 'utf8')
  return text + decipher.final('utf8')
}

const sealingKey = (askerKey: string): Buffer =>
  Buffer.from(hkdfSync('sha256', askerKey, '', 'endcap: answer to POST /v1/keys', 32))
