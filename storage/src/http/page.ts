/** One page of a list. `rows` holds one row more than the page when there is a next one. */
export function pageOf<Row, Item>(
  rows: readonly Row[],
  limit: number,
  answer: (row: Row) => Item,
  cursorAfter: (last: Row) => string,
): { items: Item[]; nextCursor: string | null } {
  const shown = rows.slice(0, limit)
  return {
    items: shown.map(answer),
    nextCursor: rows.length > limit ? cursorAfter(shown.at(-1)!) : null,
  }
}
