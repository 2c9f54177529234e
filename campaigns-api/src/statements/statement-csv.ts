import type { Statement } from '@endcap/contracts'
import { csvLines, csvText } from '../reports/csv.js'
import { MOVEMENTS, PER_CAMPAIGN } from './sections.js'

/** A statement as CSV (RFC 4180): one line an item, its section first; the amounts between the balances add up. */
export function statementCsv(statement: Statement): string {
  const { from, to, currency } = statement
  const header = ['section', 'id', 'description', 'bookedAt', 'clicks', 'impressions', 'amount', 'currency']
  return csvLines([
    header,
    ['opening balance', '', '', from, '', '', statement.openingBalance, currency],
    ...MOVEMENTS.flatMap(({ key, title }) =>
      statement[key].items.map((item) => [
        title,
        csvText(item.id),
        csvText(item.note),
        item.bookedAt,
        '',
        '',
        item.amount,
        currency,
      ]),
    ),
    ...PER_CAMPAIGN.flatMap(({ key, title }) =>
      statement[key].campaigns.map((campaign) => [
        title,
        csvText(campaign.id),
        csvText(campaign.name),
        '',
        campaign.clicks,
        campaign.impressions,
        campaign.amount,
        currency,
      ]),
    ),
    [
      statement.preliminary ? 'closing balance (preliminary)' : 'closing balance',
      '',
      '',
      to,
      '',
      '',
      statement.closingBalance,
      currency,
    ],
  ])
}
