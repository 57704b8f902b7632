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
