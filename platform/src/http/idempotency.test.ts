import { assert, dictionary, jsonValue, property, string } from 'fast-check'
import type { FastifyRequest } from 'fastify'
import { describe, expect, it } from 'vitest'
import { bodyHash, idempotencyKeyOf } from './idempotency.js'

const requestWith = (key: unknown) => ({ headers: { 'idempotency-key': key } }) as unknown as FastifyRequest

describe('bodyHash', () => {
  it('is the same for the same members in any order', () => {
    assert(
      property(dictionary(string(), jsonValue()), (body) => {
        const reversed = Object.fromEntries(Object.entries(body).reverse())
        expect(bodyHash({ a: reversed })).toBe(bodyHash({ a: body }))
      }),
    )
  })

  it('tells different bodies apart', () => {
    const bodies = [
      null,
      {},
      [],
      '',
      0,
      '0',
      [1, 2],
      [2, 1],
      { a: 1 },
      { a: '1' },
      { a: [1] },
      { a: { b: 1 } },
      { 'a":1,"b': 1 },
      10n,
    ]
    expect(new Set(bodies.map(bodyHash)).size).toBe(bodies.length)
    expect(bodyHash({ a: 1, b: undefined })).toBe(bodyHash({ a: 1 }))
  })

  it('refuses a value nested without end as the client’s mistake', () => {
    const deep = JSON.parse(`${'['.repeat(5_000)}${']'.repeat(5_000)}`)
    expect(() => bodyHash(deep)).toThrow(expect.objectContaining({ code: 'validation_failed' }))
  })
})

describe('idempotencyKeyOf', () => {
  it.each(['a', 'order 17', 'x'.repeat(255)])('takes %s', (key) =>
    expect(idempotencyKeyOf(requestWith(key))).toBe(key),
  )
  it.each(['', ' ', 'a ', 'x'.repeat(256), 'ä', 'a\tb', ['a', 'b']])('refuses %j with 422', (key) =>
    expect(() => idempotencyKeyOf(requestWith(key))).toThrow(expect.objectContaining({ status: 422 })),
  )
  it('is undefined without one', () => expect(idempotencyKeyOf(requestWith(undefined))).toBeUndefined())
})
