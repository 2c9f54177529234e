import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** A process of the bench that answers calls. */
export interface Child {
  call<T>(method: string, argument?: unknown): Promise<T>
  /** Ends it in good order. */
  close(): Promise<void>
}

interface Answer {
  readonly id: number
  readonly result?: unknown
  readonly error?: string
}

interface Call {
  readonly id: number
  readonly method: string
  readonly argument: unknown
}

/** Starts the module `file` (beside this one) with the options as its first argument; it must `answerCalls`. `nodeFlags` go to Node. */
export function startChild(file: string, options: unknown, nodeFlags: readonly string[] = []): Child {
  const child = fork(fileURLToPath(new URL(`${file}.js`, import.meta.url)), [JSON.stringify(options)], {
    // The young generation as the endcap command has it.
    execArgv: ['--expose-gc', '--max-semi-space-size=64', ...nodeFlags, ...profileFlags()],
    // stdout belongs to the results.
    stdio: ['ignore', 2, 2, 'ipc'],
    env: { ...process.env, UV_THREADPOOL_SIZE: '8' },
  })
  const waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>()
  let lastId = 0
  const ended = new Promise<void>((resolve) => {
    child.once('exit', (code) => {
      for (const { reject } of waiting.values()) reject(new Error(`${file} ended with ${code}`))
      resolve()
    })
  })
  child.on('message', (answer: Answer) => {
    const call = waiting.get(answer.id)
    waiting.delete(answer.id)
    if (answer.error !== undefined) call?.reject(new Error(`${file}: ${answer.error}`))
    else call?.resolve(answer.result as never)
  })
  function call<T>(method: string, argument?: unknown): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      waiting.set(++lastId, { resolve, reject })
      child.send({ id: lastId, method, argument } satisfies Call)
    })
  }
  return {
    call,
    async close() {
      await call('close')
      child.disconnect()
      await ended
    },
  }
}

/** `ENDCAP_BENCH_PROFILE=<dir>`: a CPU profile of every process there. */
function profileFlags(): string[] {
  const dir = process.env.ENDCAP_BENCH_PROFILE
  return dir ? ['--cpu-prof', `--cpu-prof-dir=${dir}`] : []
}

export type Methods = Readonly<Record<string, (argument: never) => unknown>>

/** In the child: answers calls until the parent goes away. `close` is called last. */
export function answerCalls(methods: Methods & { readonly close: () => Promise<void> }): void {
  process.on('message', async ({ id, method, argument }: Call) => {
    try {
      const result = await methods[method]!(argument as never)
      process.send!({ id, result } satisfies Answer)
    } catch (error) {
      process.send!({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  })
  process.on('disconnect', () => process.exit(0))
}

/** The CPU time of this process so far, all threads, in microseconds. */
export function cpuMicros(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}
