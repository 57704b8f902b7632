import { SingleBar } from 'cli-progress'

export interface ProgressBar {
  readonly update: (done: number, total: number) => void
  readonly stop: () => void
}

const plainEvery = 10

/** A bar on a terminal; elsewhere a plain line at every tenth part. Shown from the first update on. */
export function progressBar(doing: string, unit: string): ProgressBar {
  if (!process.stderr.isTTY) return plainLines(doing, unit)
  const bar = new SingleBar({
    format: `${doing} {bar} {value}/{total} ${unit}, {eta_formatted} left`,
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
  })
  let started = false
  return {
    update(done, total) {
      if (!started) bar.start(total, 0)
      started = true
      bar.update(done)
    },
    stop() {
      if (started) bar.stop()
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

export interface FileProgress {
  /** `done` from 0 to 1. */
  readonly update: (rows: number, done: number) => void
  readonly stop: () => void
}

/** Rows, rate and what remains of a file: a bar on a terminal, elsewhere a plain line at every tenth part. */
export function fileProgress(doing: string): FileProgress {
  const { isTTY } = process.stderr
  const startedAt = performance.now()
  const bar = new SingleBar({
    format: `${doing} {bar} {percentage} %, {rows} rows, {rate} a second, {eta_formatted} left`,
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
  })
  let started = false
  let told = 0
  return {
    update(rows, done) {
      const seconds = (performance.now() - startedAt) / 1_000
      const rate = Math.round(rows / seconds)
      if (isTTY) {
        if (!started) bar.start(100, 0, { rows, rate })
        started = true
        bar.update(Math.floor(done * 100), { rows, rate })
        return
      }
      const part = Math.floor(done * plainEvery)
      if (part === told || part === plainEvery) return
      told = part
      const left = Math.ceil((seconds / done) * (1 - done))
      const text = `${doing}: ${part * (100 / plainEvery)} %, ${rows} rows, ${rate} a second, ${left} s left`
      process.stderr.write(`${text}\n`)
    },
    stop() {
      if (started) bar.stop()
    },
  }
}

function plainLines(doing: string, unit: string): ProgressBar {
  let told = 0
  return {
    update(done, total) {
      const part = Math.floor((done / total) * plainEvery)
      if (part === told) return
      told = part
      process.stderr.write(`${doing}: ${done}/${total} ${unit}\n`)
    },
    stop() {},
  }
}
