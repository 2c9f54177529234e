let printedJson = false

/** Whether this process has printed its document. */
export const hasPrintedJson = (): boolean => printedJson

/** `--json`: exactly one JSON document on stdout; everything else goes to stderr. */
export function printJson(document: unknown): void {
  printedJson = true
  process.stdout.write(
    `${JSON.stringify(document, (_, value) => (typeof value === 'bigint' ? value.toString() : value))}\n`,
  )
}

/** A line for people. */
export const say = (text = ''): void => {
  process.stderr.write(`${text}\n`)
}

/** What a command found, for people who did not ask for JSON. */
export const print = (text = ''): void => {
  process.stdout.write(`${text}\n`)
}
