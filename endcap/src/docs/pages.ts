import { DROP_REASONS } from '@endcap/ad-server'
import { ERRORS } from '@endcap/contracts'
import { configMarkdown } from '@endcap/platform/config'
import { serviceCatalog } from '../host/services.js'
import { eventsMarkdown } from './events-page.js'

const GENERATED = '<!-- Written by `npm run docs` from the code: change it there. -->\n\n'

/** The pages of docs/ that are tables of the code, by file name. */
export const pages = (): Record<string, string> => ({
  'errors.md': errorsPage(),
  'events.md': `${GENERATED}${eventsMarkdown().trim()}\n`,
  'drop-reasons.md': dropReasonsPage(),
  'configuration.md': `${GENERATED}# Configuration\n\nEnvironment variables; \`endcap config\` prints what is in force.\n\n${configMarkdown(serviceCatalog).trim()}\n`,
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

function dropReasonsPage(): string {
  const rows = Object.entries(DROP_REASONS).map(
    ([reason, { outcome, meaning }]) => `| \`${reason}\` | ${outcome} | ${meaning} |`,
  )
  return `${GENERATED}# Drop reasons

Every ad that a request meets and does not show leaves with exactly one of these. They stand in explanations (\`?explain=1\`), in the counts
of each logged auction (\`drops\`), in auction cases and in the metric \`endcap_ads_dropped_total{reason}\`. \`dropped\`: it never reached a price;
\`outranked\`: a better score would have won.

| reason | outcome | meaning |
| --- | --- | --- |
${rows.join('\n')}
`
}
