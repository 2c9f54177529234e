import type { z } from 'zod'

/** Values bound to `{name:Type}` placeholders. Arrays become ClickHouse arrays; never put a value into the text. */
export type QueryParams = Readonly<Record<string, ParamValue>>
export type ParamValue = string | number | bigint | boolean | readonly ParamValue[]

/** A read with a name for logs and metrics, a schema for what it takes and one for each row it gives. */
export interface NamedQuery<Params extends z.ZodType<QueryParams>, Row extends z.ZodType> {
  readonly name: string
  readonly params: Params
  readonly row: Row
  /** Without FORMAT and without a trailing semicolon. */
  readonly sql: string
  /** Seconds the engine may spend on it; default 60. */
  readonly maxSeconds?: number
}

/** Declares a named query; see {@link NamedQuery}. */
export const defineQuery = <Params extends z.ZodType<QueryParams>, Row extends z.ZodType>(
  query: NamedQuery<Params, Row>,
): NamedQuery<Params, Row> => query
