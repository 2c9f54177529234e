import { existsSync, readFileSync } from 'node:fs'
import type { LabelledRows } from '../train/rows.js'

const SHARED = new URL('../../../../shared/data/lightgbm-binary/', import.meta.url)

/** LightGBM's binary example is no part of the project: its tests run only where it stands beside it. */
export const lightgbmExampleIsHere = process.env.CI !== 'true' && existsSync(SHARED)
if (!lightgbmExampleIsHere)
  console.warn('shared/data/lightgbm-binary is not here (or CI=true): its tests are skipped')

/** 7,000 training rows or 500 test rows, of 28 columns. */
export function readLightgbmExample(part: 'train' | 'test'): LabelledRows {
  const lines = readFileSync(new URL(`binary.${part}`, SHARED), 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split('\t').map(Number))
  return {
    rows: lines.length,
    columns: lines[0]!.length - 1,
    features: Float32Array.from(lines.flatMap((line) => line.slice(1))),
    labels: Uint8Array.from(lines, (line) => line[0]!),
  }
}
