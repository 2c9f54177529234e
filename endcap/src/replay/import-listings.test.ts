import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ImportRow, readListings } from './import-listings.js'

let dir = ''
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'endcap-import-'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

async function read(name: string, text: string): Promise<ImportRow[]> {
  const file = join(dir, name)
  writeFileSync(file, text)
  const rows: ImportRow[] = []
  for await (const row of readListings(file)) rows.push(row)
  return rows
}

describe('a file of listings', () => {
  it('is read from CSV with quotes, categories, places and attributes', async () => {
    const rows = await read(
      'a.csv',
      '\uFEFFid,merchantId,title,url,categories,price,currency,lat,lng,attr.colour\n' +
        'L1,mer_1,"Shoes, red",https://shop.example/1,shoes|sale,9.90,EUR,52.5,13.4,red\n' +
        'L2,mer_1,Lamp,https://shop.example/2,,5,EUR,,,\n',
    )
    expect(itemOf(rows[0])).toEqual({
      id: 'L1',
      merchantId: 'mer_1',
      title: 'Shoes, red',
      url: 'https://shop.example/1',
      categories: ['shoes', 'sale'],
      price: '9.90',
      currency: 'EUR',
      location: { lat: 52.5, lng: 13.4 },
      attributes: { colour: 'red' },
    })
    expect(itemOf(rows[1])).not.toHaveProperty('location')
    expect(itemOf(rows[1])).toMatchObject({ categories: [] })
    expect(rows.map(({ line }) => line)).toEqual([2, 3])
  })

  it('is read from NDJSON, blank lines left out', async () => {
    const rows = await read('a.ndjson', '{"id":"L1"}\n\n{"id":"L2"}\n')
    expect(rows).toEqual([
      { line: 1, item: { id: 'L1' } },
      { line: 3, item: { id: 'L2' } },
    ])
  })

  it('goes on after a bad line, and tells what is wrong with it', async () => {
    expect(await read('bad.ndjson', '{"id":"L1"}\nnot json\n[1]\n{"id":"L2"}\n')).toEqual([
      { line: 1, item: { id: 'L1' } },
      { line: 2, problem: 'is not JSON' },
      { line: 3, problem: 'is not a JSON object' },
      { line: 4, item: { id: 'L2' } },
    ])
    expect(await read('bad.csv', 'id,title\nL1,Lamp\nL2\nL3,Shoes\n')).toEqual([
      { line: 2, item: { id: 'L1', title: 'Lamp', categories: [] } },
      { line: 3, problem: 'has 1 cells, the header 2' },
      { line: 4, item: { id: 'L3', title: 'Shoes', categories: [] } },
    ])
  })

  it('is refused when it is neither', async () => {
    await expect(read('a.xlsx', '')).rejects.toThrow('must end in .csv or .ndjson')
  })
})

const itemOf = (row: ImportRow | undefined) => (row && 'item' in row ? row.item : undefined)
