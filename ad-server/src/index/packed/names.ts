import { ByteReader, ByteWriter, fnv1a, mixBits } from '@endcap/contracts'
import { HashChains, NONE } from './hash-chains.js'
import { Records } from './records.js'

/**
 * Small numbers for names, from 0 on: a term, a category or an entity's id has one for as long as the process lives, so that all else holds
 * and compares numbers instead of texts.
 */
export class Names {
  private readonly chains = new HashChains()
  private readonly texts = new Records()
  private readonly reader = new ByteReader()
  private readonly writer = new ByteWriter()
  private count = 0

  get size(): number {
    return this.count
  }

  /** undefined: nobody ever used it. */
  numberOf(name: string): number | undefined {
    return this.count === 0 ? undefined : this.find(name, textHash(name))
  }

  /** Gives the name a number when it has none. */
  take(name: string): number {
    const hash = textHash(name)
    const known = this.find(name, hash)
    if (known !== undefined) return known
    const number = this.count++
    this.texts.set(number, this.writer.clear().text(name))
    this.chains.add(number, hash)
    return number
  }

  /** The name of a number that was taken. */
  nameOf(number: number): string {
    return this.texts.read(number, this.reader).text()
  }

  private find(name: string, hash: number): number | undefined {
    for (let number = this.chains.first(hash); number !== NONE; number = this.chains.after(number)) {
      if (this.texts.read(number, this.reader).isText(name)) return number
    }
    return undefined
  }
}

/** 32 bits of a text, each of which depends on all of it. */
export const textHash = (text: string): number => mixBits(fnv1a(text))
