import { EARTH_RADIUS_KM, type Point } from './geo.js'

/**
 * The Earth cut into cells, level by level: level L has 2^L rows of latitude and 2^(L+1) columns of longitude, so that each cell of one
 * level holds four of the next. Level 0 is one cell for everything; at level 12 a cell is 4.9 km high.
 */
export const CELL_LEVELS = 13
/** Stands for "no place": what is filed here is looked at wherever a request comes from. No cell has this number. */
export const EVERYWHERE = 0

export interface Circle extends Point {
  readonly radiusKm: number
}

/** A circle is filed in at most this many cells. */
const CELLS_AT_MOST = 9
const DEGREES = 180 / Math.PI
/** Distances and cells are worked out by different roundings: nothing within the radius may fall out of the cells for that. */
const ROUNDING = 1e-9
/** Level 0 has one row, but two columns would part the world; it is kept whole. */
const columnsAt = (level: number): number => (level === 0 ? 1 : 2 ** (level + 1))

/** The cell of a level that a point lies in: an integer above 0, other for every cell of every level, below 2^30. */
export function cellOf(point: Point, level: number): number {
  return cellNumber(level, rowOf(point.lat, level), columnOf(point.lng, level))
}

/**
 * Cells of one level that together hold every point of the circle, of the finest level at which CELLS_AT_MOST are enough. The level
 * follows from the radius and, towards the poles, from how many columns it crosses.
 */
export function cellsOfCircle(circle: Circle): number[] {
  const box = boxOf(circle)
  for (let level = CELL_LEVELS - 1; ; level--) {
    const rows = 2 ** level
    const columns = columnsAt(level)
    const firstRow = rowOf(box.south, level)
    const rowCount = rowOf(box.north, level) - firstRow + 1
    const firstColumn = Math.floor(((box.west + 180) / 360) * columns)
    const columnCount = Math.min(columns, Math.floor(((box.east + 180) / 360) * columns) - firstColumn + 1)
    if (rowCount * columnCount > CELLS_AT_MOST) continue
    const cells: number[] = []
    for (let row = firstRow; row < firstRow + rowCount && row < rows; row++) {
      for (let column = firstColumn; column < firstColumn + columnCount; column++) {
        cells.push(cellNumber(level, row, (column + columns) % columns))
      }
    }
    return cells
  }
}

/**
 * Degrees that bound a circle on the sphere; west and east may lie beyond ±180 where it crosses the date line
 * [Matuschek, "Finding Points Within a Distance of a Latitude/Longitude Using Bounding Coordinates"].
 */
function boxOf({ lat, lng, radiusKm }: Circle) {
  const angle = radiusKm / EARTH_RADIUS_KM
  const reach = angle * DEGREES * (1 + ROUNDING) + ROUNDING
  const south = Math.max(-90, lat - reach)
  const north = Math.min(90, lat + reach)
  if (south === -90 || north === 90) return { south, north, west: -180, east: 180 }
  const spread = Math.asin(Math.min(1, Math.sin(angle) / Math.cos(lat / DEGREES))) * DEGREES
  const width = spread * (1 + ROUNDING) + ROUNDING
  return { south, north, west: lng - width, east: lng + width }
}

function rowOf(lat: number, level: number): number {
  const rows = 2 ** level
  return Math.min(rows - 1, Math.floor(((lat + 90) / 180) * rows))
}

function columnOf(lng: number, level: number): number {
  const columns = columnsAt(level)
  return Math.floor(((lng + 180) / 360) * columns) % columns
}

/** The level that a cell is of. */
export const levelOf = (cell: number): number => (30 - Math.clz32(cell)) >> 1

/** One range of numbers a level: 4^L·2 cells of level L begin at 2·4^L. */
const cellNumber = (level: number, row: number, column: number): number =>
  2 * 4 ** level + row * columnsAt(level) + column
