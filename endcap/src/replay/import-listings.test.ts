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
    expect(rows[0]!.item).toEqual({
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
    expect(rows[1]!.item).not.toHaveProperty('location')
    expect(rows[1]!.item).toMatchObject({ categories: [] })
    expect(rows.map(({ line }) => line)).toEqual([2, 3])
  })

  it('is read from NDJSON, blank lines left out', async () => {
    const rows = await read('a.ndjson', '{"id":"L1"}\n\n{"id":"L2"}\n')
    expect(rows).toEqual([
      { line: 1, item: { id: 'L1' } },
      { line: 3, item: { id: 'L2' } },
    ])
  })

  it.each([
    ['a.ndjson', '{"id":"L1"}\nnot json\n', 'line 2 is not JSON'],
    ['b.ndjson', '[1]\n', 'line 1 is not a JSON object'],
    ['a.xlsx', '', 'must end in .csv or .ndjson'],
  ])('is refused by its line: %s', async (name, text, problem) => {
    await expect(read(name, text)).rejects.toThrow(problem)
  })
})
