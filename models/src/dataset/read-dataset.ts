import type { ClickHouse } from '@endcap/platform/clickhouse'
import { FEATURE_COUNT, FEATURE_SET, POSITION_COLUMN, positionFeature } from '@endcap/ranking'
import { RecordBatchReader, type Vector } from 'apache-arrow'
import { trainingRows } from './training-rows-query.js'

/** Shown and seen slots in time order, in memory that worker threads share. */
export interface Dataset {
  readonly rows: number
  /** rows × FEATURE_COUNT as served, but with the shown position in POSITION_COLUMN. */
  readonly features: Float32Array
  /** 1: an impression and a click. */
  readonly clicked: Uint8Array
  /** 1: the click earned an order. */
  readonly ordered: Uint8Array
  /** 1-based. */
  readonly positions: Uint16Array
  /** Milliseconds since the epoch, rising. */
  readonly occurredAtMs: Float64Array
}

export interface DatasetRange {
  readonly fromMs: number
  readonly toMs: number
  /** The newest so many are read. */
  readonly maxRows: number
}

interface Piece {
  readonly features: Float32Array
  readonly clicked: ArrayLike<number>
  readonly ordered: ArrayLike<number>
  readonly positions: ArrayLike<number>
  readonly occurredAtMs: ArrayLike<number>
}

/** Reads the rows of the present FEATURE_SET from ClickHouse as a stream of Arrow batches. `onRows` hears how many have come. */
export async function readDataset(
  clickhouse: Pick<ClickHouse, 'arrowStream'>,
  range: DatasetRange,
  onRows: (rows: number) => void = () => undefined,
): Promise<Dataset> {
  const stream = await clickhouse.arrowStream(trainingRows, {
    ...range,
    featureSet: FEATURE_SET,
    featureCount: FEATURE_COUNT,
  })
  const pieces: Piece[] = []
  let rows = 0
  const reader = await RecordBatchReader.from(stream)
  for await (const batch of reader) {
    if (batch.numRows === 0) continue
    const column = (name: string): Vector => {
      const vector = batch.getChild(name)
      if (!vector) throw new Error(`the training rows have no column ${name}`)
      return vector
    }
    pieces.push({
      features: listValues(column('features'), batch.numRows),
      clicked: column('clicked').toArray(),
      ordered: column('ordered').toArray(),
      positions: column('position').toArray(),
      occurredAtMs: column('occurredAtMs').toArray(),
    })
    rows += batch.numRows
    onRows(rows)
  }
  return join(pieces, rows)
}

/** The floats of a list column of FEATURE_COUNT values a row, without making an object of each row. */
function listValues(vector: Vector, rows: number): Float32Array {
  const data = vector.data[0]!
  const values = data.children[0]?.values
  const first = data.valueOffsets[0]!
  const end = data.valueOffsets[rows]!
  if (!(values instanceof Float32Array) || end - first !== rows * FEATURE_COUNT) {
    throw new Error(`the training rows are not lists of ${FEATURE_COUNT} float32`)
  }
  return values.subarray(first, end)
}

function join(pieces: readonly Piece[], rows: number): Dataset {
  const dataset = {
    rows,
    features: new Float32Array(new SharedArrayBuffer(rows * FEATURE_COUNT * 4)),
    clicked: new Uint8Array(new SharedArrayBuffer(rows)),
    ordered: new Uint8Array(new SharedArrayBuffer(rows)),
    positions: new Uint16Array(new SharedArrayBuffer(rows * 2)),
    occurredAtMs: new Float64Array(new SharedArrayBuffer(rows * 8)),
  }
  let at = 0
  for (const piece of pieces) {
    dataset.features.set(piece.features, at * FEATURE_COUNT)
    dataset.clicked.set(piece.clicked, at)
    dataset.ordered.set(piece.ordered, at)
    dataset.positions.set(piece.positions, at)
    dataset.occurredAtMs.set(piece.occurredAtMs, at)
    at += piece.clicked.length
  }
  for (let row = 0; row < rows; row++) {
    dataset.features[row * FEATURE_COUNT + POSITION_COLUMN] = positionFeature(dataset.positions[row]!)
  }
  return dataset
}
