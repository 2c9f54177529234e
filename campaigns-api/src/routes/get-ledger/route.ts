import { formatMoney, ledgerEntry, listQuery, page } from '@endcap/contracts'
import { type App, cursorsOf, merchantAccess } from '@endcap/platform/http'
import { pageOf, visibleMerchant } from '@endcap/storage/http'
import { ledgerAccountId, listWalletEntries, type WalletEntry } from '@endcap/storage/postgres'
import { z } from 'zod'
import type { CampaignsApiDeps } from '../../deps.js'
import { idParams } from '../id-params.js'

const entryId = z
  .string()
  .regex(/^\d{1,18}$/)
  .transform(BigInt)

export function getLedger(app: App, deps: CampaignsApiDeps): void {
  app.get(
    '/v1/merchants/:id/ledger',
    {
      config: { access: merchantAccess() },
      schema: {
        summary: "The entries of a merchant's wallet, newest first",
        tags: ['wallet'],
        params: idParams,
        querystring: listQuery,
        response: { 200: page(ledgerEntry) },
      },
    },
    async ({ caller, params, query }) => {
      const { id: merchantId, currency } = await visibleMerchant(deps.postgres, caller, params.id)
      const cursors = cursorsOf(`ledger of ${merchantId}`, entryId)
      const before = cursors.decode(query.cursor)
      const rows = await listWalletEntries(deps.postgres, merchantId, { before, limit: query.limit + 1 })
      const account = ledgerAccountId({ kind: 'wallet', merchantId, currency })
      return pageOf(
        rows,
        query.limit,
        (entry) => ({
          id: entry.id.toString(),
          transactionId: entry.transactionId,
          kind: entry.kind,
          account,
          amount: formatMoney(entry.amountMicros),
          currency: entry.currency,
          reference: referenceOf(entry),
          occurredAt: entry.occurredAt.toISOString(),
          createdAt: entry.createdAt.toISOString(),
        }),
        (last) => cursors.encode(last.id.toString()),
      )
    },
  )
}

/**
 * What an entry stands for: a deposit, refund or credit by its id, a charge or the charge given back by the charge's id. A charge's entry
 * itself refers to the interaction, whose id begins with the API key that reported it: none of the merchant's business.
 */
const referenceOf = ({ kind, reference, transactionId }: WalletEntry): string =>
  kind === 'charge' ? transactionId : reference
