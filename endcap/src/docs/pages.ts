import { ERRORS } from '@endcap/contracts'
import { configMarkdown } from '@endcap/platform/config'

const GENERATED = '<!-- Written by `npm run docs` from the code: change it there. -->\n\n'

/** The pages of docs/ that are tables of the code, by file name. */
export const pages = (): Record<string, string> => ({
  'errors.md': errorsPage(),
  'configuration.md': `${GENERATED}# Configuration\n\nEnvironment variables; \`endcap config\` prints what is in force.\n\n${configMarkdown().trim()}\n`,
})

function errorsPage(): string {
  const rows = Object.entries(ERRORS).map(
    ([code, { status, retryable, title }]) =>
      `| \`${code}\` | ${status} | ${retryable ? 'yes' : 'no'} | ${title} |`,
  )
  return `${GENERATED}# Errors

Every error answers as \`application/problem+json\` (RFC 9457): \`{type, title, status, code, detail, requestId, errors: [{path, message}]}\`.
Script against \`code\`; \`path\` is a JSON pointer into the body.

| code | status | try again | title |
| --- | --- | --- | --- |
${rows.join('\n')}
`
}
