import { ByteReader, ByteWriter, MATCH_TYPES, type MatchType, mixBits } from '@endcap/contracts'
import { termsOf, WORD_BORDER } from '@endcap/ranking'
import type { Keyword } from './keyword.js'
import { Column } from './packed/column.js'
import { HashChains, NONE } from './packed/hash-chains.js'
import { Names, textHash } from './packed/names.js'
import { Records } from './packed/records.js'
import { type QueryTerms, queryTerms } from './query-terms.js'

/** What campaigns ask for in words: each text with its match type is kept once, by number, for as long as any campaign uses it. */
export class Keywords {
  private readonly terms = new Names()
  private readonly chains = new HashChains()
  /** By number: match type, terms, the text as the merchant wrote it. */
  private readonly records = new Records()
  /** By number: how often campaigns use it. */
  private readonly uses = new Column()
  private readonly unused: number[] = []
  private readonly reader = new ByteReader()
  private readonly writer = new ByteWriter()
  private readonly met = { match: 'exact' as MatchType, terms: [] as number[] }

  /** The number of a keyword, which `release` gives back. */
  take(text: string, match: MatchType): number {
    const type = MATCH_TYPES.indexOf(match)
    const hash = mixBits(textHash(text) + type)
    for (let number = this.chains.first(hash); number !== NONE; number = this.chains.after(number)) {
      if (!this.is(number, type, text)) continue
      this.uses.set(number, this.uses.get(number) + 1)
      return number
    }
    const number = this.unused.pop() ?? this.uses.length
    this.uses.set(number, 1)
    const terms = termsOf(text).filter((term) => match !== 'broad' || term !== WORD_BORDER)
    this.writer.clear().natural(type).natural(terms.length)
    for (const term of terms) this.writer.natural(this.terms.take(term))
    this.records.set(number, this.writer.text(text))
    this.chains.add(number, hash)
    return number
  }

  /** One campaign fewer uses it. */
  release(number: number): void {
    const uses = this.uses.get(number) - 1
    this.uses.set(number, uses)
    if (uses > 0) return
    this.chains.remove(number)
    this.records.remove(number)
    this.unused.push(number)
  }

  /** The keyword of a number, to be compared at once: it is the same object for every number. */
  peek(number: number): Keyword {
    const { reader, met } = this
    this.records.read(number, reader)
    met.match = MATCH_TYPES[reader.natural()]!
    met.terms.length = 0
    for (let left = reader.natural(); left > 0; left--) met.terms.push(reader.natural())
    return met
  }

  /** The keyword of a number, to be kept. */
  at(number: number): Keyword {
    const { match, terms } = this.peek(number)
    return { match, terms: [...terms] }
  }

  /** As the merchant wrote it. */
  textOf(number: number): string {
    this.peek(number)
    return this.reader.text()
  }

  /** A query's terms as keywords are compared with them. */
  read(terms: readonly string[]): QueryTerms {
    return queryTerms(terms, this.terms)
  }

  private is(number: number, type: number, text: string): boolean {
    const { reader } = this
    this.records.read(number, reader)
    if (reader.natural() !== type) return false
    for (let left = reader.natural(); left > 0; left--) reader.natural()
    return reader.isText(text)
  }
}
