import cliProgress from 'cli-progress'

export interface Progress {
  update(done: number, total: number): void
  end(): void
}

/** A progress bar on stderr; plain lines each quarter where stderr is no terminal, so that logs stay readable. */
export function startProgress(label: string): Progress {
  if (!process.stderr.isTTY) return plainProgress(label)
  const bar = new cliProgress.SingleBar(
    {
      format: `${label.padEnd(28)} {bar} {percentage}% {value}/{total} {eta_formatted}`,
      stream: process.stderr,
      hideCursor: true,
    },
    cliProgress.Presets.shades_classic,
  )
  let started = false
  const end = () => {
    if (started) bar.stop()
    started = false
    process.off('exit', end)
  }
  return {
    update(done, total) {
      // It hides the cursor, also from whoever ends the process.
      if (!started) process.once('exit', end)
      if (!started) bar.start(total, done)
      started = true
      bar.setTotal(total)
      bar.update(done)
    },
    end,
  }
}

function plainProgress(label: string): Progress {
  let printedQuarter = -1
  return {
    update(done, total) {
      const quarter = total === 0 ? 4 : Math.floor((4 * done) / total)
      if (quarter <= printedQuarter) return
      printedQuarter = quarter
      process.stderr.write(`${label}: ${done}/${total}\n`)
    },
    end: () => {},
  }
}
