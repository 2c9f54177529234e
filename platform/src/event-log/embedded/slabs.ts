/** One slab takes what is written between two syncs at a usual load. */
const SLAB_BYTES = 1 << 20

/**
 * Memory for records that are written but not yet synced. New memory for every write would have to be mapped, page by page, and be
 * collected again; two slabs take turns instead: one is written to while the other waits for its sync.
 */
export class Slabs {
  private slab: Buffer | undefined
  private at = 0
  private spare: Buffer | undefined

  /** So many bytes of memory; they stay as they are until a sync that began after they were written has succeeded. */
  take(bytes: number): Buffer {
    if (bytes > SLAB_BYTES) return Buffer.allocUnsafeSlow(bytes)
    if (!this.slab || this.at + bytes > SLAB_BYTES) {
      this.slab = this.spare ?? Buffer.allocUnsafeSlow(SLAB_BYTES)
      this.spare = undefined
      this.at = 0
    }
    const taken = this.slab.subarray(this.at, this.at + bytes)
    this.at += bytes
    return taken
  }

  /** A sync begins that covers all that was taken so far: what comes now goes elsewhere. */
  turn(): Buffer | undefined {
    const { slab } = this
    this.slab = this.spare
    this.spare = undefined
    this.at = 0
    return slab
  }

  /** The sync that began with this slab has succeeded: nothing in it is needed any more. */
  giveBack(slab: Buffer | undefined): void {
    if (slab) this.spare = slab
  }
}
