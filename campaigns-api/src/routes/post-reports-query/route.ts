import { reportAnswer, reportQueryBody } from '@endcap/contracts'
import { type App, merchantAccess } from '@endcap/platform/http'
import type { FastifyReply } from 'fastify'
import type { CampaignsApiDeps } from '../../deps.js'
import { reportCsv } from '../../reports/csv.js'
import { preferredType } from '../preferred-type.js'
import { queryReport } from './handler.js'

export function postReportsQuery(app: App, deps: CampaignsApiDeps): void {
  app.post(
    '/v1/reports/query',
    {
      config: {
        access: merchantAccess('reports'),
        answers: { 404: { description: 'No such merchant', contentType: 'application/problem+json' } },
      },
      schema: {
        summary: 'Query a report; `Accept: text/csv` gives its rows as CSV',
        tags: ['reports'],
        body: reportQueryBody,
        response: { 200: reportAnswer },
      },
    },
    async (request, reply) => {
      const report = await queryReport(deps, request.caller, request.body)
      const type = preferredType(request.headers.accept, ['application/json', 'text/csv'])
      if (type === 'application/json') return report
      // Text goes out as it is: the schema of the answer is that of the JSON.
      return (reply as FastifyReply).type('text/csv; charset=utf-8').send(reportCsv(report))
    },
  )
}
