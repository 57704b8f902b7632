import { formatTimestamp, type Micros, parseTimestamp } from '../definitions/timestamp.ts'
import { BadUserInput } from '../errors.ts'

/** A moment as tests write it: RFC 3339 with an offset, or a Date. */
export type Moment = string | Date

/** @throws BadUserInput naming the argument. */
export function readMoment(argument: string, moment: unknown): Micros {
  const micros =
    moment instanceof Date
      ? moment.getTime() * 1_000
      : typeof moment === 'string'
        ? parseTimestamp(moment)
        : null
  if (micros !== null && Number.isSafeInteger(micros)) return micros
  const came = moment instanceof Date ? 'an invalid Date' : (JSON.stringify(moment) ?? String(moment))
  throw new BadUserInput(
    `${argument}: expected a Date, or an RFC 3339 timestamp with an offset, as 2026-01-31T09:30:00Z; got ${came}`,
  )
}

/** Rows and events as tests write them → as they would come by NDJSON: a Date is its text, bytes are base64. */
export function asJson(offered: unknown): unknown {
  if (offered instanceof Date) return formatTimestamp(readMoment('a Date', offered))
  if (offered instanceof Uint8Array) return Buffer.from(offered).toString('base64')
  if (typeof offered === 'bigint') return offered.toString()
  if (Array.isArray(offered)) return offered.map(asJson)
  if (typeof offered !== 'object' || offered === null) return offered
  return Object.fromEntries(Object.entries(offered).map(([name, value]) => [name, asJson(value)]))
}
