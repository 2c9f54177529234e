import { EndcapError, type FieldError, fieldErrorsOf } from '@endcap/contracts'
import type { z } from 'zod'

type ZodIssues = Parameters<typeof fieldErrorsOf>[0]

/**
 * The value as its schema gives it (defaults filled, text trimmed).
 * @param prefix where the value stands in the body, for the pointers of its errors
 * @throws EndcapError validation_failed (422) with every bad field
 */
export function parseOrThrow<S extends z.ZodType>(
  schema: S,
  value: unknown,
  prefix: readonly PropertyKey[] = [],
): z.output<S> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw invalid(fieldErrorsOf(parsed.error, prefix))
}

/** 422 with these fields. */
export const invalid = (errors: readonly FieldError[]): EndcapError =>
  new EndcapError('validation_failed', 'Some fields are not valid.', errors)

/** How the path of a field begins outside of the body: `?limit`, `:id`, `idempotency-key`. */
const PART_PREFIXES: Readonly<Record<string, string>> = { querystring: '?', params: ':', headers: '' }

function errorsOfPart(part: string | undefined, error: ZodIssues): FieldError[] {
  const errors = fieldErrorsOf(error)
  const prefix = PART_PREFIXES[part ?? 'body']
  return prefix === undefined
    ? errors
    : errors.map(({ path, message }) => ({ path: `${prefix}${path.slice(1)}`, message }))
}

/** Validates each part of a request with its zod schema. */
export const zodValidatorCompiler = (part: { readonly schema: unknown; readonly httpPart?: string }) =>
  function validate(value: unknown): { value: unknown } | { error: EndcapError } {
    const parsed = (part.schema as z.ZodType).safeParse(value)
    return parsed.success
      ? { value: parsed.data }
      : { error: invalid(errorsOfPart(part.httpPart, parsed.error)) }
  }
