import { formatTimestamp } from '../../definitions/timestamp.ts'
import type { TimeColumn } from '../../stores/file-reader.ts'
import type { Unfit } from './unfit.ts'

const shownCharacters = 60

/** What was expected of a value, and its beginning as it came. */
export function mismatch({ expected, hint }: Unfit, raw: unknown, time: TimeColumn | null = null): string {
  const beginning = typeof raw === 'string' ? raw.slice(0, shownCharacters + 1) : raw
  const text = typeof raw === 'bigint' ? raw.toString() : JSON.stringify(jsonOf(beginning, time))
  const shown = text.length > shownCharacters ? `${text.slice(0, shownCharacters)}…` : text
  return `expected ${expected}, got ${shown}${hint === '' ? '' : ` (${hint})`}`
}

/** Deeper than that nobody reads, and a line may be nested as deep as it is long. */
const maxDepth = 16

/** A raw value as JSON can have it; a typed time, which is a number, as text: an instant as RFC 3339, else without a zone. */
export function jsonOf(raw: unknown, time: TimeColumn | null = null, depth = 0): unknown {
  if (typeof raw === 'bigint') return raw.toString()
  if (typeof raw === 'number') return Number.isFinite(raw) ? timeOf(raw, time) : String(raw)
  if (raw instanceof Uint8Array) return Buffer.from(raw).toString('base64')
  if (typeof raw !== 'object' || raw === null) return raw ?? null
  if (depth === maxDepth) return Array.isArray(raw) ? 'a deeply nested list' : 'a deeply nested object'
  if (Array.isArray(raw)) return raw.map((item) => jsonOf(item, time, depth + 1))
  return Object.fromEntries(
    Object.entries(raw).map(([name, value]) => [name, jsonOf(value, null, depth + 1)]),
  )
}

function timeOf(raw: number, time: TimeColumn | null): unknown {
  if (time === null || time === 'NUMBER') return raw
  if (!Number.isSafeInteger(raw)) return String(raw)
  const text = formatTimestamp(raw)
  return time === 'INSTANT' ? text : time === 'LOCAL' ? text.slice(0, -1) : text.slice(0, 10)
}
