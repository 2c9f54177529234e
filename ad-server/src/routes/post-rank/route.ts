import { EndcapError, rankAnswer, rankBody } from '@endcap/contracts'
import { type App, scopes, zodValidatorCompiler } from '@endcap/platform/http'
import type { z } from 'zod'
import { CallSales } from '../../serve/4-auction/call-sales.js'
import { serialiseRank } from '../../serve/5-respond/serialise.js'
import type { Serve } from '../../serve/serve.js'
import { startLaps, type Timings } from '../../serve/timings.js'
import { explainQuery, wantsExplanation } from '../explain-query.js'
import { readRankBody } from './read-rank-body.js'

export interface PostRankDeps {
  readonly serve: Serve
  readonly publicUrl: string
  readonly timings: Timings | undefined
}

/** `POST /v1/rank`: one list of organic and sponsored slots for a search. */
export function postRank(app: App, { serve, publicUrl, timings }: PostRankDeps): void {
  function readBody(body: unknown) {
    const lap = startLaps(timings)
    try {
      return { value: readRankBody(body) }
    } catch (error) {
      if (error instanceof EndcapError) return { error }
      throw error
    } finally {
      lap('parse')
    }
  }

  app.post(
    '/v1/rank',
    {
      config: { access: scopes('serve') },
      schema: {
        summary: 'Rank a page of organic and sponsored listings',
        tags: ['serving'],
        querystring: explainQuery,
        body: rankBody,
        response: { 200: rankAnswer },
      },
      validatorCompiler: ({ schema, httpPart, ...route }) => {
        if (httpPart === 'body') return readBody
        const validate = zodValidatorCompiler({ schema: schema as unknown as z.ZodType, httpPart, ...route })
        // Nearly every request comes without a query string, and every field of it is optional.
        return (value) => (isEmpty(value) ? { value } : validate(value))
      },
    },
    async (request, reply) => {
      const explain = wantsExplanation(request.query, request.caller)
      const result = await serve.rank(request.body, {
        requestId: request.id,
        explain,
        callSales: new CallSales(),
      })
      const lap = startLaps(timings)
      const text = serialiseRank(result, publicUrl)
      lap('serialise')
      // JSON text goes out as it is; the declared answer type is for values that fastify would print.
      return reply.type('application/json; charset=utf-8').send(text as never)
    },
  )
}

function isEmpty(value: object): boolean {
  for (const _ in value) return false
  return true
}
