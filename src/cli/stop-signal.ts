import { Cancelled } from '../errors.ts'
import { whenStarterEnds } from './starting-process.ts'

/** Ctrl-C under npm comes twice, from the terminal and from npm: signals so close together are one. */
const oneSignalMs = 500

/**
 * Calls back with what ends the process, in words: the first SIGTERM or SIGINT, or the end of the npm that started it. A
 * second signal ends the process at once.
 */
export function onStop(stop: (reason: string) => void): void {
  let stoppedAt: number | null = null
  const first = (reason: string): void => {
    stoppedAt = performance.now()
    stop(reason)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (stoppedAt === null) first(signal)
      else if (performance.now() - stoppedAt > oneSignalMs) process.exit(1)
    })
  }
  whenStarterEnds(process.env, () => {
    if (stoppedAt === null) first('the process that started this one has ended')
  })
}

/**
 * Aborts at the first SIGTERM or SIGINT and says that `underWay` is finished; a second signal ends the process at once.
 */
export function stopSignal(underWay: string): AbortController {
  const stopping = new AbortController()
  onStop((reason) => {
    process.stderr.write(`${reason}: finishing ${underWay}\n`)
    stopping.abort()
  })
  return stopping
}

/** Aborts with `Cancelled` at the first SIGTERM or SIGINT; a second signal ends the process at once. */
export function cancelSignal(lost: string): AbortSignal {
  const cancelling = new AbortController()
  onStop((reason) => {
    cancelling.abort(new Cancelled(`cancelled by ${reason}: ${lost}`))
  })
  return cancelling.signal
}
