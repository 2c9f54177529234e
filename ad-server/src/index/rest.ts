/** Fields that this version does not know, which are kept as they came; undefined without any. */
export function restOf(state: object, known: ReadonlySet<string>): object | undefined {
  let rest: Record<string, unknown> | undefined
  for (const field in state) {
    if (known.has(field)) continue
    rest ??= {}
    rest[field] = (state as Record<string, unknown>)[field]
  }
  return rest
}

/** The same of each entry of a list, by place. */
export function restsOf(
  entries: readonly object[],
  known: ReadonlySet<string>,
): Readonly<Record<number, object>> | undefined {
  let rests: Record<number, object> | undefined
  entries.forEach((entry, at) => {
    const rest = restOf(entry, known)
    if (!rest) return
    rests ??= {}
    rests[at] = rest
  })
  return rests
}
