import { parseDuration } from '../definitions/duration.ts'
import type { Micros } from '../definitions/timestamp.ts'
import { BadUserInput } from '../errors.ts'

/** @throws BadUserInput naming the option; null where it was not given. */
export function argumentDuration(option: string, text: string | undefined): Micros | null {
  if (text === undefined) return null
  const micros = parseDuration(text)
  if (micros !== null && micros > 0) return micros
  throw new BadUserInput(`${option} expects a duration, as 30m, 1h or 1d; got ${JSON.stringify(text)}`)
}
