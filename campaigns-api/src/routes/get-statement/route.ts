import { callerId, month, monthOf, statement } from '@endcap/contracts'
import { type App, merchantAccess } from '@endcap/platform/http'
import { notFound, visibleMerchant } from '@endcap/storage/http'
import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import type { CampaignsApiDeps } from '../../deps.js'
import { buildStatement } from '../../statements/build-statement.js'
import { statementCsv } from '../../statements/statement-csv.js'
import { STATEMENT_CSP, statementHtml } from '../../statements/statement-html.js'
import { preferredType } from '../preferred-type.js'

export function getStatement(app: App, deps: CampaignsApiDeps): void {
  app.get(
    '/v1/merchants/:id/statements/:month',
    {
      config: { access: merchantAccess() },
      schema: {
        summary: "A merchant's statement of a month (YYYY-MM)",
        description:
          '`Accept: text/csv` gives it as CSV, `Accept: text/html` as a page to print. The present month is preliminary.',
        tags: ['wallet'],
        params: z.object({ id: callerId, month }),
        response: { 200: statement },
      },
    },
    async ({ caller, params, headers }, reply) => {
      const merchant = await visibleMerchant(deps.postgres, caller, params.id)
      const nowMs = deps.clock()
      const { timeZone } = merchant
      if (
        params.month < monthOf(merchant.createdAt.getTime(), timeZone) ||
        params.month > monthOf(nowMs, timeZone)
      )
        throw notFound('statement', ':month')
      const built = await buildStatement(deps.postgres, merchant, params.month, nowMs)
      const type = preferredType(headers.accept, ['application/json', 'text/csv', 'text/html'])
      if (type === 'application/json') return built
      // Text goes out as it is: the schema of the answer is that of the JSON.
      const text = (reply as FastifyReply).header('vary', 'accept').type(`${type}; charset=utf-8`)
      if (type === 'text/html')
        return text.header('content-security-policy', STATEMENT_CSP).send(statementHtml(built))
      return text
        .header('content-disposition', `attachment; filename="statement-${params.month}.csv"`)
        .send(statementCsv(built))
    },
  )
}
