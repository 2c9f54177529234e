import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ImportRow, openListings } from './import-listings.js'

let dir = ''
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'endcap-import-'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

async function read(name: string, text: string | Buffer): Promise<ImportRow[]> {
  const file = join(dir, name)
  writeFileSync(file, text)
  const rows: ImportRow[] = []
  for await (const row of await openListings(file)) rows.push(row)
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

  it('loses no line to a quote that is opened and not closed, whatever follows it', async () => {
    const lamp = (line: number, id: string) => ({ line, item: { id, title: 'Lamp', categories: [] } })
    const open = (line: number) => ({ line, problem: 'holds a quote that is not closed' })
    // To the end of the file; up to a quote that another line opens; one such line after the other.
    expect(await read('open.csv', 'id,title\nL1,Lamp\nL2,"Lamp\nL3,Lamp\n')).toEqual([
      lamp(2, 'L1'),
      open(3),
      lamp(4, 'L3'),
    ])
    expect(await read('open.csv', 'id,title\nL1,"Lamp\nL2,Lamp\nL3,"Lamp"\n"L4","Lamp"')).toEqual([
      open(2),
      lamp(3, 'L2'),
      lamp(4, 'L3'),
      lamp(5, 'L4'),
    ])
    expect(await read('open.csv', 'id,title\r\nL1,"Lamp\r\nL2,"Lamp\r\n\r\nL3,Lamp\r\n')).toEqual([
      open(2),
      open(3),
      lamp(5, 'L3'),
    ])
    const long = `id,title\nL1,"Lamp\n${'L2,"" Lamp\n'.repeat(4000)}`
    const rows = await read('long.csv', long)
    expect(rows).toHaveLength(4001)
    expect(rows[0]).toEqual(open(2))
    await expect(read('open.csv', 'id,"title\nL1,Lamp\n')).rejects.toThrow(
      'line 1, the header, holds a quote',
    )
  })

  it('has its lines counted and kept where cells span them, and quotes within a cell', async () => {
    const text =
      'id,title\nL1,"Lamp,\n""red""\n"\nL2,5" lamp\nL3,"Lamp" red\nL4,"Lamp"red\nL5,"a\nb",c,d\nL6,Lamp\u2028\n'
    expect(await read('cells.csv', text)).toEqual([
      { line: 2, item: { id: 'L1', title: 'Lamp,\n"red"\n', categories: [] } },
      { line: 5, item: { id: 'L2', title: '5" lamp', categories: [] } },
      { line: 6, problem: 'holds text between a closing quote and the end of the cell' },
      { line: 7, problem: 'holds text between a closing quote and the end of the cell' },
      { line: 8, problem: 'holds a quote that is not closed' },
      { line: 9, problem: 'has 3 cells, the header 2' },
      { line: 10, item: { id: 'L6', title: 'Lamp', categories: [] } },
    ])
    expect(await read('a.ndjson', '{"id":"L\u20281"}\r\n{"id":"L2"}\r')).toEqual([
      { line: 1, item: { id: 'L\u20281' } },
      { line: 2, item: { id: 'L2' } },
    ])
  })

  it('is refused, naming the line, when it is not UTF-8; U+FFFD itself is', async () => {
    for (const name of ['a.csv', 'a.ndjson']) {
      const latin1 = Buffer.from('{"id":"L1"}\n{"id":"Caf\u00e9"}\n', 'latin1')
      await expect(read(name, latin1)).rejects.toThrow(`${name}: line 2 is not UTF-8`)
      await expect(read(name, Buffer.from('\ufeffid,title\n', 'utf16le'))).rejects.toThrow(
        'line 1 is not UTF-8',
      )
    }
    const cut = Buffer.from('id,title\nL1,Caf\u00e9')
    await expect(read('cut.csv', cut.subarray(0, -1))).rejects.toThrow('line 2 is not UTF-8')
    expect(await read('a.csv', 'id,title\nL1,\ufffd\n')).toMatchObject([{ item: { title: '\ufffd' } }])
    // Characters that lie across two pieces of the file as it is read are whole.
    const wide = `id,title\n${'L1,\u20ac\u20ac\n'.repeat(20_000)}`
    expect(await read('wide.csv', wide)).toHaveLength(20_000)
  })

  it('is refused when it is neither', async () => {
    await expect(read('a.xlsx', '')).rejects.toThrow('must end in .csv or .ndjson')
  })
})

const itemOf = (row: ImportRow | undefined) => (row && 'item' in row ? row.item : undefined)
