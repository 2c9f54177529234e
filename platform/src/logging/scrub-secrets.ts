export const HIDDEN = '[hidden]'

/** What is a secret by its shape, wherever in a text it stands; `$1` is what may stay. */
const SECRET_SHAPES: readonly (readonly [RegExp, string])[] = [
  [/\bek_[A-Za-z0-9_-]{4,}/g, `ek_${HIDDEN}`],
  [/\b(bearer|basic)\s+(?!\[hidden\])[^\s"'\\,]+/gi, `$1 ${HIDDEN}`],
  // The password of an address such as postgres://user:password@host. A password may itself hold a raw '@'.
  [/\b([a-z][a-z0-9+.-]*:\/\/[^\s:/@"\\]*):[^\s"\\]*@/gi, `$1:${HIDDEN}@`],
  // A slot token in a tracking address.
  [/(\/t\/[a-z]\/)[^\s"'\\/?#]+/g, `$1${HIDDEN}`],
  // Keys of 32 bytes in base64, with or without the id before them.
  [/(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{43}=(?![A-Za-z0-9+/=])/g, HIDDEN],
  // Fields that hold a secret by name, in JSON and in JSON inside a string.
  [
    /(\\*"(?:authorization|cookie|password|secret|apiKey|api_key|token|identityKey|tokenKeys)\\*":\s*\\*")[^"\\]+/gi,
    `$1${HIDDEN}`,
  ],
]

/**
 * Hides API keys, passwords in addresses, slot tokens, base64 keys and named secret fields of a text. Works on whole
 * log lines, so that no caller has to remember which of its fields may carry a secret.
 */
export function scrubSecrets(text: string): string {
  let scrubbed = text
  for (const [shape, replacement] of SECRET_SHAPES) scrubbed = scrubbed.replace(shape, replacement)
  return scrubbed
}
