/**
 * Aborts at the first SIGTERM or SIGINT and says that `underWay` is finished; a second signal ends the process at once.
 */
export function stopSignal(underWay: string): AbortController {
  const stopping = new AbortController()
  const stop = (signal: string): void => {
    if (stopping.signal.aborted) process.exit(1)
    process.stderr.write(`${signal}: finishing ${underWay}\n`)
    stopping.abort()
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  return stopping
}
