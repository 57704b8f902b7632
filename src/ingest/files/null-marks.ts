import type { ValueType } from '../../definitions/value-type.ts'
import type { ReadValue } from '../accept/read-raw-value.ts'

/** What tools write for null, in any case. No number, time, bool or list reads like this. */
const usualMarks: ReadonlySet<string> = new Set([
  ...['', 'null', 'nan', 'na', 'n/a', '#n/a', '<na>', 'nat', 'none', '\\n'],
])

/** Whether a text is what some tools write for null. */
export function isUsualMark(text: string): boolean {
  return text.length <= 5 && usualMarks.has(text.trim().toLowerCase())
}

/**
 * As `read`, but for what stands for null in files: what the source declares, for every type; and for types other than string
 * what tools usually write, and nothing at all.
 */
export function readNulls(type: ValueType | null, nulls: readonly string[], read: ReadValue): ReadValue {
  const isText = type === 'string' || type === null
  const isNull = (raw: unknown): boolean => !isText && typeof raw === 'string' && isUsualMark(raw)
  if (nulls.length === 0) return isText ? read : (raw) => (isNull(raw) ? null : read(raw))
  const declared = new Set(nulls)
  const isDeclared = (raw: unknown): boolean =>
    typeof raw !== 'object' && raw !== undefined && declared.has(String(raw))
  return (raw) => (isDeclared(raw) || isNull(raw) ? null : read(raw))
}

/** What a source should declare, of a text that was stored. */
export function markWarning(name: string, mark: string, rowNumber: number): string {
  const text = JSON.stringify(mark)
  return `${name}: ${text} is stored as it stands (first in row ${rowNumber}); if it means null, give the source nulls: [${text}]`
}
