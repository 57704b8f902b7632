import { Cron } from 'croner'
import type { Micros } from '../definitions/timestamp.ts'
import { messageOf } from '../errors.ts'

function parse(expression: string): Cron {
  return new Cron(expression, { paused: true, timezone: 'UTC', mode: '5-or-6-parts' })
}

/** What keeps an expression from being a schedule, in croner's words; null: nothing. */
export function cronProblem(expression: string): string | null {
  try {
    return parse(expression).nextRun(new Date(0)) === null ? 'it never fires' : null
  } catch (error) {
    return messageOf(error).replace(/^CronPattern: /, '')
  }
}

/** The last time at or before `time` at which an expression of the registry fires, in UTC; null: there was none. */
export function lastFiring(expression: string, time: Micros): Micros | null {
  // What croner calls previous is before its reference, which has milliseconds.
  const [firing] = parse(expression).previousRuns(1, new Date(Math.floor(time / 1_000) + 1))
  return firing === undefined ? null : firing.getTime() * 1_000
}

/** The first time after `time` at which an expression of the registry fires, in UTC; null: there is none. */
export function nextFiring(expression: string, time: Micros): Micros | null {
  const firing = parse(expression).nextRun(new Date(Math.floor(time / 1_000)))
  return firing === null ? null : firing.getTime() * 1_000
}
