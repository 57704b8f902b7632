import { acceptDecimal } from '../definitions/decimal.ts'
import type { ScalarValue, Value } from '../definitions/value.ts'
import { decimalDigits, elementType, type ScalarType, type ValueType } from '../definitions/value-type.ts'

/** How a driver has what is no number, text or truth. */
interface DriverValues {
  /** Null: it is no list. */
  readonly itemsOf: (raw: unknown) => readonly unknown[] | null
  readonly bytesOf: (raw: unknown) => Buffer | null
}

/**
 * What a driver answered for a column that is read as a type → the value. NaN and ±Infinity become null and are counted, and so are
 * numbers that a decimal cannot hold exactly, and those of a wider column that are out of the type's range.
 */
export type ReadStoredValue = (type: ValueType, raw: unknown, countUnfit: () => void) => Value | null

export function storedValueReader({ itemsOf, bytesOf }: DriverValues): ReadStoredValue {
  function scalar(type: ScalarType, raw: unknown, countUnfit: () => void): ScalarValue | null {
    switch (type) {
      case 'int64':
      case 'timestamp': {
        const number = Number(raw)
        return Number.isSafeInteger(number) ? number : String(raw)
      }
      case 'int32': {
        const number = Number(raw)
        // Of a column that is wider: a narrower feature over it.
        if ((number | 0) === number) return number
        countUnfit()
        return null
      }
      case 'float32':
      case 'float64': {
        const number = type === 'float32' ? Math.fround(Number(raw)) : Number(raw)
        if (Number.isFinite(number)) return number
        countUnfit()
        return null
      }
      case 'bool':
        return raw === true
      case 'string':
        return String(raw)
      case 'bytes':
        return bytesOf(raw)
      case 'uuid':
        return String(raw).toLowerCase()
      default: {
        const outcome = acceptDecimal(decimalDigits(type), String(raw))
        if (outcome.ok) return outcome.value
        countUnfit()
        return null
      }
    }
  }

  return (type, raw, countUnfit) => {
    if (raw === null || raw === undefined) return null
    const element = elementType(type)
    if (element === null) return scalar(type as ScalarType, raw, countUnfit)
    const items: ScalarValue[] = []
    for (const item of itemsOf(raw) ?? [null]) {
      const value = item === null ? null : scalar(element, item, countUnfit)
      // A list holds values only; one hole makes the whole list unknown.
      if (value === null) return null
      items.push(value)
    }
    return items
  }
}
