import { SingleBar } from 'cli-progress'

export interface ProgressBar {
  /** `done` from 0 to 1; `rows` so far, where rows are counted. */
  readonly update: (done: number, rows?: number) => void
  readonly stop: () => void
}

/** Plain lines are written at every tenth part. */
const plainParts = 10

/** How far something is, its rate and what remains: a bar on a terminal, elsewhere plain lines. Shown from the first update on. */
export function progressBar(doing: string): ProgressBar {
  const startedAt = performance.now()
  const bar = process.stderr.isTTY
    ? new SingleBar({
        format: `${doing} {bar} {percentage} %{counted}, {eta_formatted} left`,
        stream: process.stderr,
        clearOnComplete: true,
        hideCursor: true,
      })
    : null
  let shownPart: number | null = null
  return {
    update(done, rows) {
      const seconds = (performance.now() - startedAt) / 1_000
      const counted = rows === undefined ? '' : `, ${rows} rows, ${Math.round(rows / seconds)} a second`
      const part = Math.floor(done * plainParts)
      if (bar) {
        if (shownPart === null) bar.start(100, 0, { counted })
        bar.update(Math.floor(done * 100), { counted })
      } else if (part !== (shownPart ?? 0) && part < plainParts) {
        const left = Math.ceil((seconds / done) * (1 - done))
        process.stderr.write(`${doing}: ${part * (100 / plainParts)} %${counted}, ${left} s left\n`)
      }
      shownPart = part
    },
    stop() {
      if (shownPart !== null) bar?.stop()
    },
  }
}

export interface RowCounter {
  readonly update: (done: number) => void
  readonly stop: () => void
}

const plainCountEvery = 100_000

/** Where the total is not known: a line that is written over, with the rate; elsewhere one every 100,000. */
export function rowCounter(doing: string, unit: string): RowCounter {
  const { isTTY } = process.stderr
  const startedAt = performance.now()
  let shown = 0
  let shownAt = startedAt
  return {
    update(done) {
      const now = performance.now()
      if (isTTY ? now - shownAt < 100 : done - shown < plainCountEvery) return
      shown = done
      shownAt = now
      const rate = Math.round(done / ((now - startedAt) / 1_000))
      const text = `${doing}: ${done} ${unit}, ${rate} a second`
      process.stderr.write(isTTY ? `\r\x1b[K${text}` : `${text}\n`)
    },
    stop() {
      if (isTTY && shown > 0) process.stderr.write('\r\x1b[K')
    },
  }
}
