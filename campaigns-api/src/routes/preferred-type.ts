/**
 * Which of the offered media types an Accept header wants most; the first offered one when it names none of them. Of equally wanted types
 * the one that the header names first counts.
 */
export function preferredType<T extends string>(
  accept: string | undefined,
  offered: readonly [T, ...T[]],
): T {
  const wanted = (accept ?? '')
    .toLowerCase()
    .split(',')
    .map((part) => {
      const [type, ...parameters] = part.split(';').map((piece) => piece.trim())
      const quality = parameters.find((parameter) => parameter.startsWith('q='))
      return { type, quality: quality === undefined ? 1 : Number(quality.slice(2)) || 0 }
    })
    .filter(({ quality }) => quality > 0)
    .sort((a, b) => b.quality - a.quality)
  for (const { type } of wanted) {
    const match = offered.find((name) => name === type)
    if (match !== undefined) return match
    if (type === '*/*') break
  }
  return offered[0]
}
