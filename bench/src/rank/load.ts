import { Pool } from 'undici'

export const CONNECTIONS = 8
/** So many keep one process busy all the time: what a request costs is asked of a server that has its hands full. */
export const AT_FULL_LOAD = 32

export interface Load {
  /** Sends so many requests, `connections` at a time, and gives how long each took, in milliseconds, in the order of their ends. */
  send(count: number, connections?: number): Promise<number[]>
  /** Sends until told to stop. */
  sendUntil(isOver: () => boolean): Promise<number[]>
  close(): Promise<void>
}

/** A closed loop: each connection sends its next request when the last one is answered. @throws when an answer is not 200 */
export function createLoad(options: {
  readonly baseUrl: string
  readonly path: string
  readonly key: string
  readonly bodies: readonly string[]
}): Load {
  const pool = new Pool(options.baseUrl, { connections: AT_FULL_LOAD })
  const headers = { authorization: `Bearer ${options.key}`, 'content-type': 'application/json' }
  let next = 0

  async function one(): Promise<number> {
    const body = options.bodies[next++ % options.bodies.length]!
    const sentAt = performance.now()
    const answer = await pool.request({ method: 'POST', path: options.path, headers, body })
    const text = await answer.body.text()
    if (answer.statusCode !== 200) throw new Error(`${options.path} answered ${answer.statusCode}: ${text}`)
    return performance.now() - sentAt
  }

  async function loop(connections: number, goesOn: () => boolean): Promise<number[]> {
    const times: number[] = []
    await Promise.all(
      Array.from({ length: connections }, async () => {
        while (goesOn()) times.push(await one())
      }),
    )
    return times
  }

  return {
    send(count, connections = CONNECTIONS) {
      let left = count
      return loop(connections, () => left-- > 0)
    },
    sendUntil: (isOver) => loop(CONNECTIONS, () => !isOver()),
    close: () => pool.close(),
  }
}
