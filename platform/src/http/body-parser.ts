import { isUtf8 } from 'node:buffer'
import { EndcapError, type FieldError, jsonPointer } from '@endcap/contracts'
import type { FastifyRequest } from 'fastify'
import type { App } from './app.js'

const MAX_REPORTED = 20

/**
 * Makes JSON in UTF-8 the one content type. Members named `__proto__`, and `constructor` with a `prototype`, are
 * refused as malformed. Text that no store can keep (NUL, half a surrogate pair) is refused with its field.
 */
export function useJsonBodies(app: App): void {
  const parseJson = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, bytes, done) => {
    if (bytes.length === 0 && !request.routeOptions.schema?.body) {
      done(null, undefined)
      return
    }
    if (!isUtf8(bytes) || namesOtherCharset(request)) {
      done(new EndcapError('malformed_json', 'The body must be JSON in UTF-8.'))
      return
    }
    const text = bytes.toString('utf8')
    parseJson(request, text, (error, value) => {
      if (error) {
        done(error, undefined)
        return
      }
      // Such text can only come from an escape, so that nearly every body is let through by one search.
      const errors = text.includes('\\u') ? unstorableText(value) : []
      if (errors.length > 0)
        done(
          new EndcapError('validation_failed', 'Some text holds characters that cannot be stored.', errors),
        )
      else done(null, value)
    })
  })
}

function namesOtherCharset(request: FastifyRequest): boolean {
  const contentType = request.headers['content-type']
  if (contentType === 'application/json' || contentType === undefined) return false
  const charset = /;\s*charset="?([^";\s]+)/i.exec(contentType)?.[1]?.toLowerCase()
  return charset !== undefined && charset !== 'utf-8' && charset !== 'utf8'
}

/** NUL, or (with the u flag) a surrogate without its other half. */
const UNSTORABLE = /[\0\p{Surrogate}]/u
const isStorable = (text: string) => !UNSTORABLE.test(text)

/** Walks without recursion: a body may be nested as deep as its size allows. */
function unstorableText(value: unknown): FieldError[] {
  const errors: FieldError[] = []
  interface Place {
    readonly value: unknown
    readonly segment: string
    readonly parent: Place | undefined
  }
  const waiting: Place[] = [{ value, segment: '', parent: undefined }]
  for (let place = waiting.pop(); place && errors.length < MAX_REPORTED; place = waiting.pop()) {
    const current = place
    if (typeof current.value === 'string' && !isStorable(current.value)) errors.push(errorAt(current))
    if (typeof current.value !== 'object' || current.value === null) continue
    for (const [segment, child] of Object.entries(current.value)) {
      if (isStorable(segment)) waiting.push({ value: child, segment, parent: current })
      else
        errors.push(
          errorAt({
            value: undefined,
            segment: segment.replace(new RegExp(UNSTORABLE, 'gu'), '\ufffd'),
            parent: current,
          }),
        )
    }
  }
  return errors

  function errorAt(place: Place): FieldError {
    const segments: string[] = []
    for (let at: Place | undefined = place; at?.parent; at = at.parent) segments.unshift(at.segment)
    return { path: jsonPointer(segments.slice(-50)), message: 'must not hold NUL or half a surrogate pair' }
  }
}
