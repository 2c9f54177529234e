const POOL_BYTES = 8192

/**
 * Random bytes in small portions: drawing many at once costs as much as drawing few. What it gives is good until the next call only,
 * and no byte is given twice.
 */
export function createRandomPool(draw: (bytes: number) => Buffer): (bytes: number) => Buffer {
  let pool: Buffer = Buffer.alloc(0)
  return (bytes) => {
    if (bytes > POOL_BYTES) return draw(bytes)
    if (pool.length < bytes) pool = draw(POOL_BYTES)
    const given = pool.subarray(0, bytes)
    pool = pool.subarray(bytes)
    return given
  }
}
