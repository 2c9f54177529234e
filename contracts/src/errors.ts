/**
 * Every error that Endcap answers, in one table: the code is what clients script against, the sentence is public.
 * docs/errors.md is generated from it.
 */
export const ERRORS = {
  malformed_json: { status: 400, retryable: false, title: 'The body is not valid JSON' },
  bad_request: { status: 400, retryable: false, title: 'The request cannot be understood' },
  unauthorized: { status: 401, retryable: false, title: 'A valid API key is needed' },
  forbidden: { status: 403, retryable: false, title: 'The API key lacks the scope for this' },
  not_found: { status: 404, retryable: false, title: 'There is no such thing here' },
  method_not_allowed: { status: 405, retryable: false, title: 'This address does not take that method' },
  conflict: { status: 409, retryable: false, title: 'The request conflicts with the present state' },
  idempotency_conflict: {
    status: 409,
    retryable: false,
    title: 'This Idempotency-Key was used with another body',
  },
  idempotency_in_progress: {
    status: 409,
    retryable: true,
    title: 'A request with this Idempotency-Key is still being worked on',
  },
  gone: { status: 410, retryable: false, title: 'This is no longer kept' },
  body_too_large: { status: 413, retryable: false, title: 'The body is larger than the limit' },
  uri_too_long: { status: 414, retryable: false, title: 'The address is too long' },
  unsupported_media_type: {
    status: 415,
    retryable: false,
    title: 'The content type must be application/json',
  },
  validation_failed: { status: 422, retryable: false, title: 'Some fields are not valid' },
  rate_limited: { status: 429, retryable: true, title: 'Too many requests' },
  headers_too_large: { status: 431, retryable: false, title: 'The request headers are too large' },
  internal: { status: 500, retryable: true, title: 'Something broke on our side' },
  unavailable: { status: 503, retryable: true, title: 'A part that this needs is away; try again' },
} as const satisfies Record<string, { status: number; retryable: boolean; title: string }>

export type ErrorCode = keyof typeof ERRORS

export interface FieldError {
  /** JSON pointer into the body, or `?name` for a query parameter and `:name` for a path parameter. */
  readonly path: string
  readonly message: string
}

/** An error that a client may see. Anything else that is thrown answers as `internal`. */
export class EndcapError extends Error {
  override readonly name = 'EndcapError'
  readonly status: number
  constructor(
    readonly code: ErrorCode,
    readonly detail: string,
    readonly errors: readonly FieldError[] = [],
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(`${code}: ${detail}`)
    this.status = ERRORS[code].status
  }
}

/** RFC 9457 body. */
export interface Problem {
  type: string
  title: string
  status: number
  code: ErrorCode
  detail: string
  requestId: string
  errors: FieldError[]
}

export const problemOf = (error: EndcapError, requestId: string): Problem => ({
  type: `urn:endcap:error:${error.code}`,
  title: ERRORS[error.code].title,
  status: error.status,
  code: error.code,
  detail: error.detail,
  requestId,
  errors: [...error.errors],
})

/** A JSON pointer (RFC 6901) from path segments. */
export const jsonPointer = (segments: readonly PropertyKey[]): string =>
  segments.map((segment) => `/${String(segment).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')

interface IssueLike {
  readonly code?: string | undefined
  readonly path: readonly PropertyKey[]
  readonly message: string
  readonly keys?: readonly string[]
}

/** Field errors of a failed zod parse; an unknown field is reported under its own path. */
export function fieldErrorsOf(
  error: { readonly issues: readonly IssueLike[] },
  prefix: readonly PropertyKey[] = [],
): FieldError[] {
  return error.issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys' && issue.keys) {
      return issue.keys.map((key) => ({
        path: jsonPointer([...prefix, ...issue.path, key]),
        message: 'is not a known field',
      }))
    }
    return [{ path: jsonPointer([...prefix, ...issue.path]), message: issue.message }]
  })
}
