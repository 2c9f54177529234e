/**
 * A category and its ancestors, nearest first: a category is a path whose steps are parted by '/', and what stands before a '/' is
 * its parent: 'shoes/running/trail' → 'shoes/running/trail', 'shoes/running', 'shoes'. A category without '/' has none.
 */
export function categoryLineage(category: string): string[] {
  const lineage = [category]
  for (let end = category.lastIndexOf('/'); end > 0; end = category.lastIndexOf('/', end - 1)) {
    lineage.push(category.slice(0, end))
  }
  return lineage
}

/**
 * Whether one of the categories, or an ancestor of one, is blocked. Of a listing: it is not sold; of a request: nothing is sold on its page.
 */
export const isInBlockedCategory = (categories: readonly string[], blocked: ReadonlySet<string>): boolean =>
  blocked.size > 0 &&
  categories.some((category) => categoryLineage(category).some((step) => blocked.has(step)))
