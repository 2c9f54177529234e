import { isInBlockedCategory, type RulesState } from '@endcap/contracts'
import { termsOf } from '@endcap/ranking'

/** What an operator does not want to see sold, ready to be compared with requests and listings. */
export class Blocklist {
  private readonly categories: ReadonlySet<string>
  /** Blocked terms and phrases by their first term. */
  private readonly phrases = new Map<string, (readonly string[])[]>()
  /** Lists of categories are shared by listings, so each is judged once. */
  private readonly verdicts = new WeakMap<readonly string[], boolean>()

  constructor({ categories, terms }: Pick<RulesState['blocked'], 'categories' | 'terms'>) {
    this.categories = new Set(categories)
    for (const text of terms) {
      const phrase = termsOf(text)
      const first = phrase[0]
      if (first === undefined) continue
      const phrases = this.phrases.get(first)
      if (phrases) phrases.push(phrase)
      else this.phrases.set(first, [phrase])
    }
  }

  /** Whether a blocked term, or all words of a blocked phrase in a row, stand in the query; compared as phrase keywords are. */
  blocksQuery(terms: readonly string[]): boolean {
    if (this.phrases.size === 0) return false
    return terms.some((term) => this.phrases.get(term)?.some((phrase) => containsRun(terms, phrase)) ?? false)
  }

  /** Whether one of the categories, or an ancestor of one, is blocked. */
  blocksCategories(categories: readonly string[]): boolean {
    if (this.categories.size === 0) return false
    let verdict = this.verdicts.get(categories)
    if (verdict === undefined) {
      verdict = isInBlockedCategory(categories, this.categories)
      this.verdicts.set(categories, verdict)
    }
    return verdict
  }
}

/** True when `run` stands in `terms` in a row. */
function containsRun(terms: readonly string[], run: readonly string[]): boolean {
  for (let start = 0; start + run.length <= terms.length; start++) {
    if (run.every((term, i) => terms[start + i] === term)) return true
  }
  return false
}
