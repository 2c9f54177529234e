import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { AuctionCaseError, runAuctionCase } from '@endcap/ad-server'
import Table from 'cli-table3'
import type { Command } from 'commander'
import { print, printJson, say } from '../output/print.js'
import { type CommonOptions, UsageError, withCommonOptions } from './options.js'

type CaseResult = ReturnType<typeof runAuctionCase>

/** What a case printed: slots and outcomes, and where they differ from `expect`, if the case has it. */
export function auctionCommand(program: Command): void {
  withCommonOptions(
    program
      .command('auction')
      .description(
        'run auction case files and print slots, prices and reasons; exit 1 where a case expects otherwise',
      )
      .argument('<case...>', 'case files, or - for one case a line on standard input'),
  ).action(async (files: string[], options: CommonOptions) => {
    if (files.includes('-')) {
      if (files.length > 1) throw new UsageError('give case files or -, not both')
      return runLines()
    }
    const results = []
    for (const file of files) {
      const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
        throw new UsageError(`${file} cannot be read (${error.code})`)
      })
      results.push({ file, ...runText(text, file) })
    }
    if (options.json) {
      const documents = results.map(({ file: _, differences, ...result }) =>
        withDifferences(result, differences),
      )
      printJson(files.length === 1 ? documents[0] : documents)
    } else for (const result of results) printResult(result.file, result)
    if (results.some((result) => result.differences.length > 0)) process.exitCode = 1
  })
}

function runText(text: string, where: string): CaseResult {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    throw new UsageError(`${where} is not JSON`)
  }
  try {
    return runAuctionCase(json)
  } catch (error) {
    if (error instanceof AuctionCaseError) throw new UsageError(`${where}: ${error.message}`)
    throw error
  }
}

/** One result a line, in the order of the cases; a line that is no case answers with its error and the rest goes on. */
async function runLines(): Promise<void> {
  let line = 0
  for await (const text of createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
    line++
    if (text.trim() === '') continue
    try {
      const { differences, ...result } = runText(text, `line ${line}`)
      printJson(withDifferences(result, differences))
      if (differences.length > 0) process.exitCode = Math.max(1, Number(process.exitCode ?? 0))
    } catch (error) {
      if (!(error instanceof UsageError)) throw error
      printJson({ error: error.message })
      process.exitCode = 2
    }
  }
}

const withDifferences = (result: object, differences: readonly string[]) =>
  differences.length > 0 ? { ...result, differences } : result

function printResult(file: string, result: CaseResult): void {
  print(file)
  const { reserve, reserveCpm, reserveRule } = result.rules
  print(`reserve ${reserve} a click, ${reserveCpm} a thousand impressions (${reserveRule ?? 'house'})`)
  const slots = new Table({
    head: ['position', 'listing', 'campaign', 'price', 'pricing'],
    style: { head: [], border: [] },
  })
  for (const slot of result.slots) {
    slots.push([slot.position, slot.listingId, slot.campaignId ?? '', slot.price ?? '', slot.pricing ?? ''])
  }
  print(slots.toString())
  const outcomes = new Table({
    head: ['listing', 'campaign', 'outcome', 'reason', 'bid', 'score', 'price', 'VCG price'],
    style: { head: [], border: [] },
  })
  for (const row of result.outcomes) {
    outcomes.push([
      row.listingId,
      row.campaignId,
      row.outcome,
      row.reason,
      row.bid,
      row.score ?? '',
      row.price ?? '',
      row.pricedBy?.vcgPrice ?? '',
    ])
  }
  print(outcomes.toString())
  for (const difference of result.differences) say(`${file}: ${difference}`)
}
