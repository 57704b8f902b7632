import type { Value } from '../definitions/value.ts'
import { elementType, type ValueType } from '../definitions/value-type.ts'

const others: ReadonlySet<ValueType> = new Set(['string', 'bytes', 'uuid', 'bool'])

/**
 * A column's values, an entry a row, null until it is set. Numbers stand in a typed array, of which a million cost eight bytes
 * each and no garbage; NaN, which is no value, stands for null. Other values, and integers that no number holds exactly, stand in
 * an array.
 */
export class ValueColumn {
  /** NaN is null. Null: some values are no numbers. */
  numbers: Float64Array | null
  private values: (Value | null)[] | null = null

  constructor(type: ValueType, rows: number) {
    const isNumeric = elementType(type) === null && !others.has(type)
    this.numbers = isNumeric ? new Float64Array(rows).fill(Number.NaN) : null
    if (!isNumeric) this.values = new Array<Value | null>(rows).fill(null)
  }

  get length(): number {
    return (this.numbers ?? this.values ?? []).length
  }

  at(row: number): Value | null {
    if (this.numbers === null) return this.values?.[row] ?? null
    const number = this.numbers[row] ?? Number.NaN
    return Number.isNaN(number) ? null : number
  }

  set(row: number, value: Value | null): void {
    if (this.numbers !== null) {
      if (typeof value === 'number') {
        this.numbers[row] = value
        return
      }
      if (value === null) {
        this.numbers[row] = Number.NaN
        return
      }
      this.values = Array.from(this.numbers, (number) => (Number.isNaN(number) ? null : number))
      this.numbers = null
    }
    if (this.values !== null) this.values[row] = value
  }

  isNull(row: number): boolean {
    return this.numbers === null
      ? (this.values?.[row] ?? null) === null
      : Number.isNaN(this.numbers[row] ?? Number.NaN)
  }
}
