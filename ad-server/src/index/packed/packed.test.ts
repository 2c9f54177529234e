import { ByteReader, ByteWriter } from '@endcap/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Column } from './column.js'
import { HashChains, NONE } from './hash-chains.js'
import { Names } from './names.js'
import { type Identified, RecentById } from './recent-by-id.js'
import { RecentByNumber } from './recent-by-number.js'
import { Records } from './records.js'

/** Any UTF-16 units, halves of surrogate pairs among them. */
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string(),
  fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
)
const written = fc.oneof(
  fc.record({ kind: fc.constant('text' as const), value: text }),
  fc.record({ kind: fc.constant('natural' as const), value: fc.maxSafeNat() }),
  fc.record({ kind: fc.constant('whole' as const), value: fc.maxSafeInteger() }),
  fc.record({ kind: fc.constant('word' as const), value: fc.integer() }),
  fc.record({ kind: fc.constant('double' as const), value: fc.double() }),
  fc.record({ kind: fc.constant('big' as const), value: fc.bigInt({ min: -(10n ** 19n), max: 10n ** 19n }) }),
  fc.record({ kind: fc.constant('textOrNull' as const), value: fc.option(text) }),
  fc.record({ kind: fc.constant('doubleOrNull' as const), value: fc.option(fc.double()) }),
  fc.record({ kind: fc.constant('flag' as const), value: fc.boolean() }),
)
type Written = typeof written extends fc.Arbitrary<infer W> ? W : never

function write(writer: ByteWriter, { kind, value }: Written): void {
  const put = writer[kind] as (value: unknown) => ByteWriter
  put.call(writer, value)
}

describe('bytes', () => {
  it('are read as they were written, whatever stands before and behind', () => {
    const writer = new ByteWriter()
    const reader = new ByteReader()
    fc.assert(
      fc.property(fc.array(written), (values) => {
        writer.clear()
        for (const value of values) write(writer, value)
        reader.moveTo(writer.bytes, 0)
        for (const { kind, value } of values) expect(reader[kind]()).toBe(value)
      }),
    )
  })

  it('hold the largest numbers exactly', () => {
    const writer = new ByteWriter()
    const most = Number.MAX_SAFE_INTEGER
    const large = BigInt(most)
    writer
      .natural(most)
      .whole(most)
      .whole(-most)
      .big(large)
      .big(large + 2n)
      .big(-1n)
    const reader = new ByteReader().moveTo(writer.bytes, 0)
    expect([reader.natural(), reader.whole(), reader.whole()]).toEqual([most, most, -most])
    expect([reader.big(), reader.big(), reader.big()]).toEqual([large, large + 2n, -1n])
  })

  it('tell whether a text is another', () => {
    fc.assert(
      fc.property(text, text, (one, other) => {
        const writer = new ByteWriter().text(one).natural(7)
        const reader = new ByteReader()
        expect(reader.moveTo(writer.bytes, 0).isText(other)).toBe(one === other)
        expect(reader.natural()).toBe(7)
        expect(reader.moveTo(writer.bytes, 0).isText(one)).toBe(true)
      }),
    )
  })
})

describe('a column', () => {
  it('holds what was set, and 0 in between, over many pages', () => {
    const column = new Column()
    const places = [0, 3, 15, 16, 40_000, 65_535, 65_536, 65_537, 300_000]
    for (const place of places) column.set(place, -place - 1)
    expect(column.length).toBe(300_001)
    for (const place of places) expect(column.get(place)).toBe(-place - 1)
    for (const place of [1, 14, 39_999, 65_534, 65_538, 131_072, 299_999]) expect(column.get(place)).toBe(0)
  })
})

describe('hash chains', () => {
  it('find all entries of a hash and no other, while they grow and shrink', () => {
    const step = fc.record({ entry: fc.nat(200), hash: fc.oneof(fc.constantFrom(0, 1, 9, -1), fc.integer()) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const chains = new HashChains()
        const hashOf = new Map<number, number>()
        for (const { entry, hash } of steps) {
          if (hashOf.has(entry)) {
            chains.remove(entry)
            hashOf.delete(entry)
          } else {
            chains.add(entry, hash)
            hashOf.set(entry, hash)
          }
        }
        for (const { hash } of steps) {
          const found: number[] = []
          for (let entry = chains.first(hash); entry !== NONE; entry = chains.after(entry)) found.push(entry)
          const expected = [...hashOf].flatMap(([entry, of]) => (of === hash ? [entry] : []))
          expect(found.sort()).toEqual(expected.sort())
        }
      }),
    )
  })
})

describe('names', () => {
  it('have one number each, from 0 on, and are told by it', () => {
    const names = new Names()
    const known = new Map<string, number>()
    fc.assert(
      fc.property(fc.array(text), (texts) => {
        for (const name of texts) {
          expect(names.numberOf(name)).toBe(known.get(name))
          known.set(name, known.get(name) ?? known.size)
          expect(names.take(name)).toBe(known.get(name))
        }
        for (const [name, number] of known) expect(names.nameOf(number)).toBe(name)
        expect(names.size).toBe(known.size)
      }),
    )
  })
})

describe('records', () => {
  const lengths = fc.oneof(
    fc.integer({ min: 0, max: 300 }),
    fc.constantFrom(0, 40_000, 65_528, 65_529, 200_000),
  )
  const step = fc.record({ number: fc.nat(30), length: fc.option(lengths, { freq: 5 }) })

  it('hold what was last set, however often they change and whatever their length', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const records = new Records()
        const reader = new ByteReader()
        const writer = new ByteWriter()
        const held = new Map<number, string>()
        steps.forEach(({ number, length }, nth) => {
          if (length === null) {
            if (held.delete(number)) records.remove(number)
            return
          }
          const content = String.fromCharCode(33 + (nth % 90)).repeat(length)
          held.set(number, content)
          records.set(number, writer.clear().text(content))
        })
        for (let number = 0; number <= 30; number++) {
          expect(records.has(number)).toBe(held.has(number))
          if (held.has(number)) expect(records.read(number, reader).text()).toBe(held.get(number))
        }
      }),
    )
  })

  it('take the space of what they hold, not of what they held', () => {
    const records = new Records()
    const writer = new ByteWriter()
    const COUNT = 5_000
    for (let round = 0; round < 50; round++) {
      for (let nth = 0; nth < COUNT; nth++) {
        // In another order each round, so that every page has some that stay longer.
        const number = (nth * (2 * round + 1)) % COUNT
        records.set(number, writer.clear().text('x'.repeat(90 + ((nth + round) % 20))))
      }
    }
    expect(records.bytes).toBeLessThan(1.5 * COUNT * 112)
  })
})

describe('what was used recently', () => {
  it('is not lost before a generation of others was added, and no more than two generations are kept', () => {
    const places = new Set<number>()
    const recent = new RecentById<Identified>(10, ({ place }) => expect(places.delete(place)).toBe(true))
    let next = 100
    const added = (nth: number) => {
      const object = recent.add({ id: `id-${nth}`, place: -1, usedIn: -1 })
      // A place is one object's alone.
      expect(places.has(object.place)).toBe(false)
      places.add(object.place)
      return object
    }
    const steady = added(1)
    for (let round = 0; round < 50; round++) {
      for (let nth = 0; nth < 9; nth++) expect(recent.get(added(next++).id)).toBeDefined()
      expect(recent.get('id-1')).toBe(steady)
      expect(recent.get('id-1')).toBe(steady)
      expect(Math.max(...places)).toBeLessThan(20)
    }
    const kept = Array.from({ length: next }, (_, nth) => recent.get(`id-${nth}`)).filter((found) => found)
    expect(kept.length).toBeLessThanOrEqual(20)
    recent.delete('id-1')
    expect(recent.get('id-1')).toBeUndefined()
    const again = added(1)
    for (let nth = 0; nth < 9; nth++) added(next++)
    expect(recent.get('id-1')).toBe(again)
  })

  it('is kept likewise by number, the last object of each', () => {
    const recent = new RecentByNumber<{ number: number; usedIn: number }>(10)
    const added = (number: number) => recent.add({ number, usedIn: -1 })
    let next = 100
    added(1)
    for (let round = 0; round < 50; round++) {
      if (round === 20) recent.delete(1)
      if (round >= 20 && round < 30) expect(recent.get(1)).toBeUndefined()
      if (round === 30) added(1)
      const steady = recent.get(1)
      for (let nth = 0; nth < 9; nth++) expect(recent.get(added(next++).number)?.number).toBe(next - 1)
      expect(recent.get(1)).toBe(steady)
      expect(recent.get(1)).toBe(steady)
    }
    expect(recent.get(0)).toBeUndefined()
    const kept = Array.from({ length: next }, (_, number) => recent.get(number)).filter((found) => found)
    expect(kept.length).toBeLessThanOrEqual(20)
    const newer = added(1)
    for (let nth = 0; nth < 9; nth++) added(next++)
    expect(recent.get(1)).toBe(newer)
  })
})
