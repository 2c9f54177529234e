import type { EndcapError } from '@endcap/contracts'
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { Access, Caller } from './access.js'

/** A fastify instance whose route schemas are zod, set up by `createHttpApp`. */
export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression<RawServerDefault>,
  RawReplyDefaultExpression<RawServerDefault>,
  FastifyBaseLogger,
  ZodTypeProvider
>

export interface DocumentedAnswer {
  readonly description: string
  /** None: the answer has no body. A problem document has `application/problem+json`. */
  readonly contentType?: string
}

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access
    /** Answers however many requests there are and however busy the process is: probes, metrics, shoppers' redirects. */
    unlimited?: boolean
    /**
     * The items of the body are checked one by one and fail alone. Then the body as a whole is not searched for text
     * that cannot be stored: the schemas of the envelope and of the items must refuse it.
     */
    itemwise?: boolean
    /** Answers that no schema describes, by status: for the documentation only. */
    answers?: Readonly<Record<number, DocumentedAnswer>>
    /** What to answer where a parameter of the path cannot be decoded; by default that is a 400. */
    undecodable?: EndcapError
  }
  interface FastifyRequest {
    /** Set on every route that is not public. */
    caller: Caller
  }
}
