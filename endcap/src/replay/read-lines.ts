import { createReadStream } from 'node:fs'

export interface FileLine {
  /** From 1. */
  readonly line: number
  /** Without what ends it. */
  readonly text: string
  /** '\n', '\r\n' or '\r'; '' at the end of the file. */
  readonly ending: string
}

/** The lines of a file one by one. Unlike node:readline it leaves U+2028 and U+2029 in their lines, as JSON and CSV do. */
export async function* readLines(file: string, encoding: 'utf8' | 'latin1'): AsyncGenerator<FileLine> {
  let line = 0
  let begun = ''
  let heldBack = ''
  for await (const read of createReadStream(file, encoding) as AsyncIterable<string>) {
    let piece = heldBack + read
    // A '\n' may follow in the next piece.
    heldBack = piece.endsWith('\r') ? '\r' : ''
    if (heldBack) piece = piece.slice(0, -1)
    let start = 0
    for (const { 0: ending, index } of piece.matchAll(/\r\n|\n|\r/g)) {
      yield { line: ++line, text: begun + piece.slice(start, index), ending }
      begun = ''
      start = index + ending.length
    }
    begun += piece.slice(start)
  }
  if (begun !== '' || heldBack !== '') yield { line: ++line, text: begun, ending: heldBack }
}
