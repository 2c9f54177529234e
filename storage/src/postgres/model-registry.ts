import { createHash } from 'node:crypto'
import { EndcapError } from '@endcap/contracts'
import type { Queryable, Transaction } from '@endcap/platform/postgres'

type ModelStatus = 'candidate' | 'rejected' | 'live' | 'retired'
export type ModelKind = 'ranking'

/** A model as the registry lists it, without its bytes. */
export interface ModelRecord {
  readonly version: string
  readonly kind: ModelKind
  readonly status: ModelStatus
  readonly featureSet: string
  /** Of the ONNX file, hex. */
  readonly sha256: string
  readonly metrics: Readonly<Record<string, unknown>>
  /** What the gate compared and decided. */
  readonly gate: Readonly<Record<string, unknown>>
  readonly trainedRows: bigint
  readonly createdAt: Date
  /** When it was last promoted; a rollback to it changes nothing here. */
  readonly promotedAt: Date | null
  readonly promotedBy: string | null
  /** When it was last taken from live by a rollback. */
  readonly rolledBackAt: Date | null
  readonly rolledBackBy: string | null
}

export interface NewModel {
  readonly version: string
  readonly kind?: ModelKind
  readonly featureSet: string
  readonly onnx: Uint8Array
  readonly metrics: Readonly<Record<string, unknown>>
  readonly gate: Readonly<Record<string, unknown>>
  readonly trainedRows: bigint
}

const COLUMNS = `version, kind, status, feature_set as "featureSet", sha256, metrics, gate, trained_rows as "trainedRows",
  created_at as "createdAt", promoted_at as "promotedAt", promoted_by as "promotedBy",
  rolled_back_at as "rolledBackAt", rolled_back_by as "rolledBackBy"`

/** Stores a model as a candidate. */
export async function insertModel(q: Queryable, model: NewModel, now: Date): Promise<ModelRecord> {
  const { rows } = await q.query<ModelRecord>(
    `insert into models (version, kind, status, feature_set, onnx, sha256, metrics, gate, trained_rows, created_at)
     values ($1, $2, 'candidate', $3, $4, $5, $6, $7, $8, $9) returning ${COLUMNS}`,
    [
      model.version,
      model.kind ?? 'ranking',
      model.featureSet,
      Buffer.from(model.onnx),
      createHash('sha256').update(model.onnx).digest('hex'),
      JSON.stringify(model.metrics),
      JSON.stringify(model.gate),
      model.trainedRows,
      now,
    ],
  )
  return rows[0]!
}

/** All models, newest first. */
export async function listModels(q: Queryable, kind: ModelKind = 'ranking'): Promise<readonly ModelRecord[]> {
  const { rows } = await q.query<ModelRecord>(
    `select ${COLUMNS} from models where kind = $1 order by created_at desc, version desc`,
    [kind],
  )
  return rows
}

export async function getModel(q: Queryable, version: string): Promise<ModelRecord | undefined> {
  return (await q.query<ModelRecord>(`select ${COLUMNS} from models where version = $1`, [version])).rows[0]
}

/** The ONNX file of a model. */
export async function getModelBytes(q: Queryable, version: string): Promise<Uint8Array | undefined> {
  return (await q.query<{ onnx: Buffer }>('select onnx from models where version = $1', [version])).rows[0]
    ?.onnx
}

/** The version that serves; cheap enough to ask every second. */
export async function liveModelVersion(
  q: Queryable,
  kind: ModelKind = 'ranking',
): Promise<string | undefined> {
  const { rows } = await q.query<{ version: string }>(
    `select version from models where kind = $1 and status = 'live'`,
    [kind],
  )
  return rows[0]?.version
}

/** The model that serves, with its ONNX file. */
export async function liveModel(
  q: Queryable,
  kind: ModelKind = 'ranking',
): Promise<(ModelRecord & { readonly onnx: Uint8Array }) | undefined> {
  const { rows } = await q.query<ModelRecord & { onnx: Buffer }>(
    `select ${COLUMNS}, onnx from models where kind = $1 and status = 'live'`,
    [kind],
  )
  return rows[0]
}

/**
 * Makes a model the live one and retires the one that was. Promoting the live model changes nothing.
 * @param by who decided: a key's id, or the name of a job
 * @param force also a model that the gate rejected: a person's decision
 * @throws EndcapError `not_found` for an unknown version, `conflict` for a rejected one without `force`
 */
export async function promoteModel(
  tx: Transaction,
  version: string,
  { by, now, force = false }: { readonly by: string; readonly now: Date; readonly force?: boolean },
): Promise<ModelRecord> {
  const model = await lockModel(tx, version)
  if (model.status === 'rejected' && !force)
    throw new EndcapError('conflict', `model ${version} was rejected by the gate`)
  if (model.status === 'live') return model
  await tx.query(`update models set status = 'retired' where kind = $1 and status = 'live'`, [model.kind])
  const { rows } = await tx.query<ModelRecord>(
    `update models set status = 'live', promoted_at = $2, promoted_by = $3 where version = $1 returning ${COLUMNS}`,
    [version, now, by],
  )
  return rows[0]!
}

/**
 * Puts the model live that was promoted before the present one; repeated, it walks further back.
 * @throws EndcapError `conflict` when there was none
 */
export async function rollbackModel(
  tx: Transaction,
  { by, now, kind = 'ranking' }: { readonly by: string; readonly now: Date; readonly kind?: ModelKind },
): Promise<ModelRecord> {
  await lockKind(tx, kind)
  const { rows: earlier } = await tx.query<{ version: string }>(
    `select version from models
     where kind = $1 and status = 'retired'
       and promoted_at < (select promoted_at from models where kind = $1 and status = 'live')
     order by promoted_at desc, version desc limit 1`,
    [kind],
  )
  if (!earlier[0]) throw new EndcapError('conflict', 'no model was live before the present one')
  await tx.query(
    `update models set status = 'retired', rolled_back_at = $2, rolled_back_by = $3 where kind = $1 and status = 'live'`,
    [kind, now, by],
  )
  const { rows } = await tx.query<ModelRecord>(
    `update models set status = 'live' where version = $1 returning ${COLUMNS}`,
    [earlier[0].version],
  )
  return rows[0]!
}

/**
 * Marks a candidate as refused by the gate, with the gate's reasons.
 * @throws EndcapError `not_found` for an unknown version, `conflict` for one that is or was live
 */
export async function rejectModel(
  tx: Transaction,
  version: string,
  gate?: Readonly<Record<string, unknown>>,
): Promise<ModelRecord> {
  const model = await lockModel(tx, version)
  if (model.status === 'live' || model.status === 'retired') {
    throw new EndcapError('conflict', `model ${version} is ${model.status}`)
  }
  const { rows } = await tx.query<ModelRecord>(
    `update models set status = 'rejected', gate = coalesce($2::jsonb, gate) where version = $1 returning ${COLUMNS}`,
    [version, gate === undefined ? null : JSON.stringify(gate)],
  )
  return rows[0]!
}

/** Changes of what is live come one after another, so that the unique index is never the one to find out. */
async function lockKind(tx: Transaction, kind: ModelKind): Promise<void> {
  await tx.query(`select pg_advisory_xact_lock(hashtextextended('endcap:models:' || $1, 0))`, [kind])
}

async function lockModel(tx: Transaction, version: string): Promise<ModelRecord> {
  const found = await getModel(tx, version)
  if (!found) throw new EndcapError('not_found', `there is no model ${version}`)
  await lockKind(tx, found.kind)
  return (await getModel(tx, version))!
}
