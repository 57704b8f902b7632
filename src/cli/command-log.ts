import { type Logger, pino } from 'pino'

/** Logs of a command go to standard error, so that its output can be piped. */
export function commandLog(level: string): Logger {
  return pino({ name: 'featuregraph', level }, pino.destination({ fd: 2, sync: true }))
}
