import { mkdirSync, realpathSync } from 'node:fs'
import chdb, { type Session } from 'chdb'
import { identifier, literal } from './sql-text.js'

export interface EngineStatement {
  readonly sql: string
  /** Output format where the statement names none. */
  readonly format?: string
  readonly settings?: Readonly<Record<string, string | number | boolean>>
  /** Already in ClickHouse's parameter text form; see `paramText`. */
  readonly params?: ReadonlyMap<string, string>
}

export interface EngineResult {
  readonly bytes: Uint8Array
  readonly rowsRead: number
  readonly bytesRead: number
  readonly seconds: number
}

/**
 * ClickHouse inside this process. A session runs its statements one after another, so inserts have a session of their own and a long
 * report never holds up an insert. Sessions count against libuv's four threads, which the event log's fsync needs too: hence few.
 */
export interface ChdbEngine {
  run(lane: Lane, statement: EngineStatement): Promise<EngineResult>
  /** The result in pieces as the engine makes them. `ArrowStream` only: other formats would repeat their headers in each piece. */
  streamArrow(statement: EngineStatement): AsyncIterable<Uint8Array>
  /** Lets go of the data directory when no other user of it is left. What is in hand then has a moment to end, and is cancelled after that. */
  close(): Promise<void>
}

export type Lane = 'read' | 'write'
const SESSIONS: Readonly<Record<Lane, number>> = { read: 2, write: 1 }

/** Statements carry inlined rows and long id lists: the default of 256 kB is for people's SQL. */
const MAX_QUERY_BYTES = 1 << 30

/** How long what is in hand may take when the engine is closed: the process could not end before it. */
const CLOSE_PATIENCE_MS = 2_000

interface Seat {
  readonly session: Session
  /** Settings outlive their statement in a session; a token left behind would make the next insert vanish. Reset before the next one. */
  readonly staleSettings: Set<string>
  /** Parameters cannot be unset in a session: remembered, so that a forgotten one fails instead of reusing an old value. */
  readonly staleParams: Set<string>
}

interface SharedEngine extends Omit<ChdbEngine, 'close'> {
  users: number
  closing: Promise<void> | undefined
  shut(): Promise<void>
}

const engines = new Map<string, SharedEngine>()

/**
 * Opens the engine on a data directory; several users in one process share it. One directory per process and one process per directory:
 * opening a second directory in this process throws.
 */
export async function openChdbEngine(path: string): Promise<ChdbEngine> {
  mkdirSync(path, { recursive: true })
  const directory = realpathSync(path)
  await engines.get(directory)?.closing
  const engine = engines.get(directory) ?? (await createEngine(directory))
  engines.set(directory, engine)
  engine.users++
  let closed: Promise<void> | undefined
  return {
    run: engine.run,
    streamArrow: engine.streamArrow,
    close() {
      closed ??= release(directory, engine)
      return closed
    },
  }
}

async function release(directory: string, engine: SharedEngine): Promise<void> {
  if (--engine.users > 0) return
  engine.closing = engine.shut().finally(() => engines.delete(directory))
  await engine.closing
}

async function createEngine(directory: string): Promise<SharedEngine> {
  const lanes = {
    read: await createLane(directory, SESSIONS.read),
    write: await createLane(directory, SESSIONS.write),
  }

  async function run(lane: Lane, statement: EngineStatement): Promise<EngineResult> {
    return lanes[lane].use(async (seat) => {
      const prefix = prefixOf(seat, statement)
      try {
        const result = await seat.session.queryAsync(prefix + statement.sql, {
          format: statement.format ?? 'TabSeparated',
        })
        return {
          bytes: result.bytes(),
          rowsRead: result.rowsRead,
          bytesRead: result.bytesRead,
          seconds: result.elapsed,
        }
      } catch (error) {
        await resetSettings(seat)
        throw error
      }
    })
  }

  async function* streamArrow(statement: EngineStatement): AsyncGenerator<Uint8Array> {
    const seat = await lanes.read.take()
    try {
      const prefix = prefixOf(seat, statement)
      if (prefix) await seat.session.queryAsync(prefix)
      let empty = true
      for await (const chunk of seat.session.queryStream(statement.sql, { format: 'ArrowStream' })) {
        const messages = arrowMessages(chunk.raw(), empty)
        empty = false
        yield messages
      }
      if (empty) {
        // No rows, no piece: a whole run gives the schema.
        yield (await seat.session.queryAsync(statement.sql, { format: 'ArrowStream' })).bytes()
      } else {
        yield ARROW_END
      }
    } catch (error) {
      await resetSettings(seat)
      throw error
    } finally {
      lanes.read.giveBack(seat)
    }
  }

  return {
    users: 0,
    closing: undefined,
    run,
    streamArrow,
    async shut() {
      // Again and again: others may have been waiting for their turn.
      const cancelling = setInterval(() => cancelAll(directory), CLOSE_PATIENCE_MS)
      try {
        await Promise.all([lanes.read.shut(), lanes.write.shut()])
      } finally {
        clearInterval(cancelling)
      }
      await chdb.drainPending()
    },
  }
}

/** Cancels every statement of the engine, in a session of its own: the others are busy. */
function cancelAll(directory: string): void {
  const session = new chdb.Session(directory)
  session
    .queryAsync('KILL QUERY WHERE query_id != queryID() ASYNC')
    .catch(() => undefined)
    .finally(() => session.close())
}

/** `SET` statements run before the statement itself, in the same session. */
function prefixOf(
  seat: Seat,
  { settings = {}, params = new Map<string, string>(), sql }: EngineStatement,
): string {
  for (const name of seat.staleParams) {
    if (!params.has(name) && new RegExp(`\\{\\s*${name}\\s*:`).test(sql)) {
      throw new Error(
        `Code: 456. DB::Exception: Substitution \`${name}\` is not set. (UNKNOWN_QUERY_PARAMETER)`,
      )
    }
  }
  const assignments: string[] = []
  for (const name of seat.staleSettings) if (!(name in settings)) assignments.push(`${name} = DEFAULT`)
  seat.staleSettings.clear()
  for (const [name, value] of Object.entries(settings)) {
    seat.staleSettings.add(identifier(name))
    assignments.push(`${name} = ${typeof value === 'string' ? literal(value) : Number(value)}`)
  }
  for (const [name, text] of params) {
    seat.staleParams.add(identifier(name))
    assignments.push(`param_${name} = ${literal(text)}`)
  }
  return assignments.length === 0 ? '' : `SET ${assignments.join(', ')}; `
}

/** After a failure, one by one: a name that the engine does not know would refuse every later `SET` that lists it. */
async function resetSettings(seat: Seat): Promise<void> {
  for (const name of seat.staleSettings)
    await seat.session.queryAsync(`SET ${name} = DEFAULT`).catch(() => undefined)
  seat.staleSettings.clear()
}

async function createLane(directory: string, size: number) {
  const seats: Seat[] = []
  for (let i = 0; i < size; i++) {
    const session = new chdb.Session(directory)
    await session.queryAsync(`SET max_query_size = ${MAX_QUERY_BYTES}`)
    seats.push({ session, staleSettings: new Set(), staleParams: new Set() })
  }
  const free = [...seats]
  const waiting: ((seat: Seat) => void)[] = []

  const take = (): Promise<Seat> => {
    const seat = free.pop()
    return seat ? Promise.resolve(seat) : new Promise((resolve) => waiting.push(resolve))
  }
  const giveBack = (seat: Seat): void => {
    const next = waiting.shift()
    if (next) next(seat)
    else free.push(seat)
  }
  return {
    take,
    giveBack,
    async use<T>(work: (seat: Seat) => Promise<T>): Promise<T> {
      const seat = await take()
      try {
        return await work(seat)
      } finally {
        giveBack(seat)
      }
    },
    async shut(): Promise<void> {
      for (let i = 0; i < size; i++) (await take()).session.close()
    },
  }
}

/** End of an Arrow IPC stream: continuation marker and a length of 0. */
const ARROW_END = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0)

/**
 * chdb writes each piece as an Arrow stream of its own (schema, batches, end); readers stop at the first end. One stream is made of them
 * by keeping the first schema and no end [Arrow columnar format, IPC streaming format: marker, int32 metadata length, metadata, body].
 */
function arrowMessages(piece: Uint8Array, first: boolean): Uint8Array {
  const schemaBytes = first ? 0 : 8 + new DataView(piece.buffer, piece.byteOffset).getInt32(4, true)
  // The engine reuses the buffer of a piece for the next one.
  return piece.slice(schemaBytes, piece.length - ARROW_END.length)
}
