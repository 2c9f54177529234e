import type { Statement } from '@endcap/contracts'
import { MOVEMENTS, PER_CAMPAIGN } from './sections.js'

/** What a statement's page may load: nothing but its own style sheet. */
export const STATEMENT_CSP =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

/** A statement as a page to print: no scripts, nothing loaded from elsewhere, all text escaped. */
export function statementHtml(statement: Statement): string {
  const { merchant, month, currency, timeZone, preliminary } = statement
  const title = `Statement ${month}, ${merchant.name}`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escaped(title)}</h1>
${preliminary ? '<p class="preliminary">Preliminary: the month is not closed.</p>' : ''}
<p>${escaped(merchant.id)} · ${escaped(statement.from)} to ${escaped(statement.to)} (${escaped(timeZone)}) · all amounts in ${escaped(currency)}; what left the wallet is negative</p>
<table>
<tbody class="balance">${row('Opening balance', '', '', statement.openingBalance)}</tbody>
${MOVEMENTS.map(({ key, title }) =>
  section(
    title,
    statement[key].amount,
    statement[key].items.map((item) => row(item.note || item.id, item.id, item.bookedAt, item.amount)),
  ),
).join('\n')}
${PER_CAMPAIGN.map(({ key, title }) =>
  section(
    title,
    statement[key].amount,
    statement[key].campaigns.map((campaign) =>
      row(campaign.name || campaign.id, campaign.id, quantity(campaign), campaign.amount),
    ),
  ),
).join('\n')}
<tbody class="balance">${row('Closing balance', '', '', statement.closingBalance)}</tbody>
</table>
</body>
</html>
`
}

const STYLE = `
body { font: 14px/1.4 system-ui, sans-serif; color: #111; margin: 2rem auto; max-width: 52rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .25rem .5rem; border-bottom: 1px solid #ddd; vertical-align: top; overflow-wrap: anywhere }
td:last-child, th:last-child { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
th { text-transform: capitalize }
.balance td { font-weight: 600; border-top: 2px solid #111 }
.preliminary { border: 1px solid #a60; padding: .5rem }
@page { margin: 2cm }
@media print { body { margin: 0; max-width: none; font-size: 10pt } tr { break-inside: avoid } thead, th { break-after: avoid } }
`

const section = (title: string, amount: string, rows: readonly string[]): string =>
  `<tbody><tr><th colspan="3">${escaped(title)}</th><th>${escaped(amount)}</th></tr>${rows.join('')}</tbody>`

const row = (...cells: readonly string[]): string =>
  `<tr>${cells.map((cell) => `<td>${escaped(cell)}</td>`).join('')}</tr>`

function quantity({
  clicks,
  impressions,
}: {
  readonly clicks: number
  readonly impressions: number
}): string {
  return [clicks > 0 ? `${clicks} clicks` : '', impressions > 0 ? `${impressions} impressions` : '']
    .filter((part) => part !== '')
    .join(', ')
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => ENTITIES[character]!)
