import type { Value } from '../definitions/value.ts'
import { type ValueType, widenings } from '../definitions/value-type.ts'

/** Whether a stored value may be read as a feature's type of today: it was widened since, or was wider for a time. */
export function isReadableAs(stored: ValueType, type: ValueType): boolean {
  return stored === type || isNarrower(stored, type) || isNarrower(type, stored)
}

export function isNarrower(type: ValueType, than: ValueType): boolean {
  return widenings.get(type) === than
}

/** A value of the wider type as the narrower one; null out of its range. */
export function narrowed(value: Value, type: ValueType): number | null {
  const number = Number(value)
  if (type === 'int32') return (number | 0) === number ? number : null
  const rounded = Math.fround(number)
  return Number.isFinite(rounded) ? rounded : null
}
