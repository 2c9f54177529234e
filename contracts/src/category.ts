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
