import { type Micros, parseTimestamp } from '../definitions/timestamp.ts'
import { BadUserInput } from '../errors.ts'

/** @throws BadUserInput naming the option; null where it was not given. */
export function argumentTimestamp(option: string, text: string | undefined): Micros | null {
  if (text === undefined) return null
  const micros = parseTimestamp(text)
  if (micros !== null) return micros
  throw new BadUserInput(
    `${option} expects an RFC 3339 timestamp with an explicit offset, as 2026-01-31T09:30:00Z; got ${JSON.stringify(text)}`,
  )
}
