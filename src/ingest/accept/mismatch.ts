import { formatTimestamp } from '../../definitions/timestamp.ts'
import type { Unfit } from './read-raw-value.ts'

const shownCharacters = 60

/** What was expected of a value, and its beginning as it came. */
export function mismatch({ expected }: Unfit, raw: unknown): string {
  const text = textOf(raw)
  const shown = text.length > shownCharacters ? `${text.slice(0, shownCharacters)}…` : text
  return `expected ${expected}, got ${shown}`
}

/** Of a value that is nested more deeply than can be reported, its kind. */
function textOf(raw: unknown): string {
  try {
    return JSON.stringify(jsonOf(raw, false)) ?? String(raw)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return Array.isArray(raw) ? 'a deeply nested list' : 'a deeply nested object'
  }
}

/** A raw value as JSON can express it; a typed time, which is a number, as RFC 3339. */
export function jsonOf(raw: unknown, isTime: boolean): unknown {
  if (typeof raw === 'bigint') return raw.toString()
  if (typeof raw === 'number' && !Number.isFinite(raw)) return String(raw)
  if (isTime && typeof raw === 'number') return Number.isSafeInteger(raw) ? formatTimestamp(raw) : String(raw)
  if (raw instanceof Uint8Array) return Buffer.from(raw).toString('base64')
  if (Array.isArray(raw)) return raw.map((item) => jsonOf(item, isTime))
  return raw ?? null
}
