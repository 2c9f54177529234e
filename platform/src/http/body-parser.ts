import { isUtf8 } from 'node:buffer'
import { EndcapError, type FieldError, jsonPointer } from '@endcap/contracts'
import type { FastifyRequest } from 'fastify'
import type { z } from 'zod'
import type { App } from './app.js'

const MAX_REPORTED = 20

/**
 * Makes JSON in UTF-8 the one content type. Text that no store can keep (NUL, half a surrogate pair) and members that
 * reach for a prototype (`__proto__`, `constructor` with a `prototype`) are refused with their field; on routes whose
 * items are checked one by one (`config.itemwise`) that is left to the schemas, so that a bad item fails alone.
 */
export function useJsonBodies(app: App): void {
  // Parsing itself sets no prototype: such members arrive as own properties, and are judged below or by the schemas.
  const parseJson = app.getDefaultJsonParser('ignore', 'ignore')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, bytes, done) => {
    if (namesOtherCharset(request)) {
      done(new EndcapError('unsupported_media_type', 'Send the body in UTF-8.'))
      return
    }
    if (bytes.length === 0 && takesNoBody(request)) {
      done(null, undefined)
      return
    }
    if (!isUtf8(bytes)) {
      done(new EndcapError('malformed_json', 'The body must be JSON in UTF-8.'))
      return
    }
    const text = bytes.toString('utf8')
    parseJson(request, text, (error, value) => {
      if (error) {
        done(error, undefined)
        return
      }
      const suspicious = !request.routeOptions.config.itemwise && SUSPICIOUS.test(text)
      const errors = suspicious ? unfitMembers(value) : []
      if (errors.length > 0)
        done(new EndcapError('validation_failed', 'Some fields hold what cannot be taken.', errors))
      else done(null, value)
    })
  })
}

/** Unstorable text can only come from an escape, as can a hidden name, so that one search lets nearly every body through. */
const SUSPICIOUS = /\\u|"__proto__"|"constructor"/

function takesNoBody(request: FastifyRequest): boolean {
  const schema = request.routeOptions.schema?.body as z.ZodType | undefined
  return !schema || schema.safeParse(undefined).success
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

const UNSTORABLE_TEXT = 'must not hold NUL or half a surrogate pair'

const reachesForPrototype = (name: string, value: unknown): boolean =>
  name === '__proto__' ||
  (name === 'constructor' && typeof value === 'object' && value !== null && Object.hasOwn(value, 'prototype'))

/** Walks without recursion: a body may be nested as deep as its size allows. */
function unfitMembers(value: unknown): FieldError[] {
  const errors: FieldError[] = []
  interface Place {
    readonly value: unknown
    readonly segment: string
    readonly parent: Place | undefined
  }
  const waiting: Place[] = [{ value, segment: '', parent: undefined }]
  for (let place = waiting.pop(); place && errors.length < MAX_REPORTED; place = waiting.pop()) {
    const current = place
    if (typeof current.value === 'string' && !isStorable(current.value))
      errors.push(errorAt(current, UNSTORABLE_TEXT))
    if (typeof current.value !== 'object' || current.value === null) continue
    for (const [segment, child] of Object.entries(current.value)) {
      const member = { value: child, segment, parent: current }
      if (!isStorable(segment)) {
        const readable = segment.replace(new RegExp(UNSTORABLE, 'gu'), '\ufffd')
        errors.push(errorAt({ ...member, segment: readable }, UNSTORABLE_TEXT))
      } else if (reachesForPrototype(segment, child)) errors.push(errorAt(member, 'is not a known field'))
      else waiting.push(member)
    }
  }
  return errors

  function errorAt(place: Place, message: string): FieldError {
    const segments: string[] = []
    for (let at: Place | undefined = place; at?.parent; at = at.parent) segments.unshift(at.segment)
    return { path: jsonPointer(segments.slice(-50)), message }
  }
}
