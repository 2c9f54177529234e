/** Wakes whoever waits. `wait` resolves at the next `notify`, or after `timeoutMs`. */
export class Signal {
  private waiters = new Set<() => void>()

  notify = (): void => {
    const woken = this.waiters
    this.waiters = new Set()
    for (const wake of woken) wake()
  }

  wait(timeoutMs?: number): Promise<void> {
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined
      const wake = () => {
        clearTimeout(timer)
        this.waiters.delete(wake)
        resolve()
      }
      this.waiters.add(wake)
      if (timeoutMs !== undefined) timer = setTimeout(wake, timeoutMs)
    })
  }
}
