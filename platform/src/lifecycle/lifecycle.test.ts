import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { silentLogger } from '../logging/index.js'
import { createMetrics, createMetricsServer } from '../metrics/index.js'
import {
  acquireDataDir,
  type Component,
  createProcess,
  DATA_DIR_LOCK,
  InterruptedError,
  onFirstSignal,
  runUntilSignal,
  StartupError,
  unlessAborted,
} from './index.js'

const logger = silentLogger()

function recorded(name: string, happened: string[], more: Partial<Component> = {}): Component {
  return {
    name,
    async start() {
      happened.push(`start ${name}`)
    },
    async stop() {
      happened.push(`stop ${name}`)
    },
    ...more,
  }
}

describe('createProcess', () => {
  it('starts in order and stops in the reverse order, once', async () => {
    const happened: string[] = []
    const hosted = createProcess({
      components: ['a', 'b', 'c'].map((name) => recorded(name, happened)),
      logger,
    })
    await hosted.start()
    expect(await Promise.all([hosted.stop(), hosted.stop()])).toEqual([true, true])
    expect(happened).toEqual(['start a', 'start b', 'start c', 'stop c', 'stop b', 'stop a'])
  })

  it('a component that cannot start takes the started ones down in reverse order, and its error comes out', async () => {
    const happened: string[] = []
    const broken = recorded('b', happened, { start: () => Promise.reject(new StartupError('no b today')) })
    const hosted = createProcess({
      components: [recorded('a', happened), recorded('a2', happened), broken, recorded('c', happened)],
      logger,
    })
    await expect(hosted.start()).rejects.toThrow('no b today')
    expect(happened).toEqual(['start a', 'start a2', 'stop a2', 'stop a'])
  })

  it('a stop that hangs or throws does not keep the others from stopping', async () => {
    const happened: string[] = []
    const hosted = createProcess({
      components: [
        recorded('a', happened),
        recorded('throws', happened, { stop: () => Promise.reject(new Error('stuck')) }),
        recorded('hangs', happened, { stop: () => new Promise(() => {}) }),
        recorded('c', happened),
      ],
      logger,
      stopTimeoutMs: 30,
    })
    await hosted.start()
    expect(await hosted.stop()).toBe(false)
    expect(happened.slice(-2)).toEqual(['stop c', 'stop a'])
  })

  it('readiness gives each component its reason: not started, its own, thrown, too slow, stopping', async () => {
    const happened: string[] = []
    const hosted = createProcess({
      components: [
        recorded('well', happened),
        recorded('busy', happened, { problem: () => 'catching up' }),
        recorded('throws', happened, { problem: () => Promise.reject(new Error('no answer')) }),
        recorded('slow', happened, { problem: () => new Promise(() => {}) }),
      ],
      logger,
      problemTimeoutMs: 20,
    })
    expect(Object.values(await hosted.readiness())).toEqual(Array(4).fill('not started yet'))
    await hosted.start()
    expect(await hosted.readiness()).toEqual({
      well: null,
      busy: 'catching up',
      throws: 'no answer',
      slow: 'did not answer within 20 ms',
    })
    await hosted.stop()
    expect(Object.values(await hosted.readiness())).toEqual(Array(4).fill('stopping'))
  })
})

describe('onFirstSignal', () => {
  const fakeHost = () => {
    const done: unknown[] = []
    const emitter = Object.assign(new EventEmitter(), {
      pid: 7,
      kill: (pid: number, signal: string) => done.push(`kill ${pid} ${signal}`),
      exit: (code: number) => done.push(`exit ${code}`),
    })
    emitter.on('exit', (code) => done.push(`hooks ${code}`))
    return { host: emitter as unknown as NodeJS.Process, emitter, done }
  }

  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
    ['SIGHUP', 129],
  ])(
    '%s is heard once and stands for the exit code %i; a second signal ends the process at once',
    (signal, code) => {
      const { host, emitter, done } = fakeHost()
      const heard: InterruptedError[] = []
      const giveUp = onFirstSignal((interruption) => heard.push(interruption), host)
      emitter.emit(signal, signal)
      expect(heard.map(({ exitCode, message }) => [exitCode, message])).toEqual([
        [code, `interrupted by ${signal}`],
      ])
      expect(done).toEqual([])
      emitter.emit('SIGINT', 'SIGINT')
      expect(done).toEqual(['hooks 130', 'kill 7 SIGINT', 'exit 130'])
      giveUp()
      for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP']) expect(emitter.listenerCount(name)).toBe(0)
    },
  )
})

describe('unlessAborted', () => {
  it('gives what the work comes to, or the reason of the abort whatever becomes of the work', async () => {
    const aborting = new AbortController()
    expect(await unlessAborted(aborting.signal, async () => 7)).toBe(7)
    await expect(unlessAborted(aborting.signal, () => Promise.reject(new Error('broken')))).rejects.toThrow(
      'broken',
    )
    let fail = (_error: Error) => {}
    const cut = unlessAborted(aborting.signal, () => new Promise<void>((_, reject) => (fail = reject)))
    aborting.abort(new InterruptedError('SIGINT'))
    fail(new Error('its server is gone'))
    await expect(cut).rejects.toThrow('interrupted by SIGINT')
    let begun = false
    const late = unlessAborted(aborting.signal, async () => {
      begun = true
    })
    await expect(late).rejects.toThrow('interrupted by SIGINT')
    expect(begun).toBe(false)
  })
})

describe('runUntilSignal', () => {
  it('a signal stops the process and gives 0, also one that came before the start was through', async () => {
    for (const early of [true, false]) {
      const happened: string[] = []
      const hosted = createProcess({ components: [recorded('a', happened)], logger })
      const interruption = new AbortController()
      const interrupt = () => interruption.abort(new InterruptedError('SIGTERM'))
      await hosted.start()
      if (early) interrupt()
      const code = runUntilSignal(hosted, { logger, interrupted: interruption.signal })
      interrupt()
      expect(await code).toBe(0)
      expect(happened).toEqual(['start a', 'stop a'])
    }
  })

  it('a component that does not stop gives 1', async () => {
    const hosted = createProcess({
      components: [recorded('a', [], { stop: () => new Promise(() => {}) })],
      logger,
      stopTimeoutMs: 50,
    })
    await hosted.start()
    const interrupted = AbortSignal.abort(new InterruptedError('SIGINT'))
    expect(await runUntilSignal(hosted, { logger, interrupted })).toBe(1)
  })

  it('a component that fails for good stops the process with 1', async () => {
    const happened: string[] = []
    let report: (error: unknown) => void = () => {}
    const failing = recorded('a', happened, {
      onFailure: (given) => {
        report = given
      },
    })
    const hosted = createProcess({ components: [failing], logger })
    const code = runUntilSignal(hosted, { logger, interrupted: new AbortController().signal })
    await hosted.start()
    report(new Error('the consumer crashed'))
    expect(await code).toBe(1)
    expect(happened).toEqual(['start a', 'stop a'])
  })
})

describe('acquireDataDir', () => {
  const withDir = async (work: (dir: string) => Promise<void>) => {
    const dir = await mkdtemp(join(tmpdir(), 'endcap-data-'))
    try {
      await work(dir)
    } finally {
      await rm(dir, { recursive: true, force: true })
    }
  }
  /** Holds the directory in another process until it is killed. */
  async function holder(dir: string) {
    const lifecycle = new URL('./index.ts', import.meta.url).href
    const code = `import(${JSON.stringify(lifecycle)}).then(async (m) => {
      await m.acquireDataDir(${JSON.stringify(dir)}); console.log('held'); setInterval(() => {}, 1000) })`
    const child = spawn(process.execPath, ['--import', 'tsx', '-e', code], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    return child
  }

  it('a second process is refused with the first one’s pid; after a kill -9 the directory is taken over', () =>
    withDir(async (dir) => {
      const first = await holder(dir)
      try {
        await expect(acquireDataDir(dir)).rejects.toThrow(`in use by process ${first.pid}:`)
        await expect(acquireDataDir(dir)).rejects.toBeInstanceOf(StartupError)
      } finally {
        const exited = once(first, 'exit')
        first.kill('SIGKILL')
        await exited
      }
      const held = await acquireDataDir(dir)
      expect(await readFile(join(dir, DATA_DIR_LOCK), 'utf8')).toMatch(new RegExp(`^${process.pid}\n`))
      await held.release()
    }))

  it('the same process is refused too, until it has released', () =>
    withDir(async (dir) => {
      const held = await acquireDataDir(dir)
      await expect(acquireDataDir(dir)).rejects.toThrow(`in use by process ${process.pid}:`)
      await held.release()
      const again = await acquireDataDir(dir)
      await again.release()
    }))

  it.each(['999999999\nelsewhere  1\n', 'garbage', '', 'own pid', 'parent pid'])(
    'a lock that says %j is stale: no process of that start lives',
    (left) =>
      withDir(async (dir) => {
        const text = left.replace('own pid', `${process.pid}\nan earlier life\n`)
        await writeFile(
          join(dir, DATA_DIR_LOCK),
          text.replace('parent pid', `${process.ppid}\nanother boot\n`),
        )
        const held = await acquireDataDir(dir)
        await held.release()
      }),
  )

  it('of many processes that find a stale lock at once, one gets the directory', () =>
    withDir(async (dir) => {
      const rounds = Array.from({ length: 40 }, (_, round) => join(dir, String(round)))
      for (const path of rounds) {
        await mkdir(path)
        await writeFile(join(path, DATA_DIR_LOCK), '999999999\nelsewhere  1\n')
      }
      const racer = `import(${JSON.stringify(new URL('./index.ts', import.meta.url).href)}).then(async (m) => {
        console.log('ready')
        process.stdin.once('data', async () => {
          const tries = ${JSON.stringify(rounds)}.map((path) => m.acquireDataDir(path).then(() => 1, () => 0))
          console.log(JSON.stringify(await Promise.all(tries)))
        })
      })`
      const racers = [1, 2, 3].map(() =>
        spawn(process.execPath, ['--import', 'tsx', '-e', racer], { stdio: ['pipe', 'pipe', 'inherit'] }),
      )
      try {
        await Promise.all(racers.map(({ stdout }) => once(stdout, 'data')))
        for (const { stdin } of racers) stdin.write('go\n')
        const answers = await Promise.all(racers.map(({ stdout }) => once(stdout, 'data')))
        const wins = answers.map(([line]) => JSON.parse(String(line)) as number[])
        expect(rounds.map((_, round) => wins.reduce((sum, won) => sum + won[round]!, 0))).toEqual(
          rounds.map(() => 1),
        )
      } finally {
        const exits = racers.map((child) => once(child, 'exit'))
        for (const child of racers) child.kill('SIGKILL')
        await Promise.all(exits)
      }
    }))

  it('a directory that cannot be made is one clear sentence', () =>
    withDir(async (dir) => {
      await writeFile(join(dir, 'file'), '')
      await expect(acquireDataDir(join(dir, 'file', 'data'))).rejects.toBeInstanceOf(StartupError)
      await expect(acquireDataDir(join(dir, 'file', 'data'))).rejects.toThrow(/cannot be used \(ENOTDIR\)/)
    }))
})

describe('a taken port', () => {
  it('is one clear sentence that names the port and the variable', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as { port: number }
    const server = createMetricsServer({
      registry: createMetrics({ service: 'test' }),
      host: '127.0.0.1',
      port,
    })
    await expect(server.start()).rejects.toBeInstanceOf(StartupError)
    await expect(server.start()).rejects.toThrow(
      new RegExp(`Port ${port} on 127.0.0.1 is already in use.*ENDCAP_METRICS_PORT`),
    )
    await new Promise((closed) => other.close(closed))
  })

  it('the metrics server answers /metrics and nothing else', async () => {
    const server = createMetricsServer({
      registry: createMetrics({ service: 'test' }),
      host: '127.0.0.1',
      port: 0,
    })
    await server.start()
    const answer = await fetch(`http://127.0.0.1:${server.port()}/metrics`)
    expect(await answer.text()).toContain('process_cpu_seconds_total')
    expect((await fetch(`http://127.0.0.1:${server.port()}/`)).status).toBe(404)
    await server.stop()
  })
})
