import type { ValueType } from '../../definitions/value-type.ts'
import type { TimeColumn } from '../../stores/file-reader.ts'

/** Whether all are values as they stand; NaN is null. */
export type IsPlain = (numbers: Float64Array) => boolean

/**
 * Typed numbers that `readRawValue` would hand on as they are. Millions of rows make this worth its lines; null: the values are
 * looked at one by one.
 */
export function plainNumbers(type: ValueType, timeColumn: TimeColumn | null): IsPlain | null {
  switch (type) {
    case 'int64':
      return all(Number.isSafeInteger)
    case 'int32':
      return all((number) => (number | 0) === number)
    case 'float64':
      return all(Number.isFinite)
    case 'timestamp':
      return timeColumn === 'INSTANT' ? all(Number.isSafeInteger) : null
    default:
      return null
  }
}

function all(isOne: (number: number) => boolean): IsPlain {
  return (numbers) =>
    numbers.every((number) => Number.isNaN(number) || (isOne(number) && !Object.is(number, -0)))
}
