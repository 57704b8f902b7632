import type { Value } from '../definitions/value.ts'
import { elementType, type ValueType } from '../definitions/value-type.ts'

const others: ReadonlySet<ValueType> = new Set(['string', 'bytes', 'uuid', 'bool'])

/**
 * A column's values, an entry a row, null until it is set. Numbers stand in a typed array, of which a million cost eight bytes
 * each and no garbage; NaN, which is no value, stands for null. Other values, and integers that no number holds exactly, stand in
 * an array.
 */
export class ValueColumn<Item extends Value = Value> {
  /** NaN is null. Null: some values are no numbers. */
  numbers: Float64Array | null
  private values: (Item | null)[] | null = null

  constructor(type: ValueType, rows: number) {
    const isNumeric = elementType(type) === null && !others.has(type)
    this.numbers = isNumeric ? new Float64Array(rows).fill(Number.NaN) : null
    if (!isNumeric) this.values = new Array<Item | null>(rows).fill(null)
  }

  get length(): number {
    return (this.numbers ?? this.values ?? []).length
  }

  at(row: number): Item | null {
    if (this.numbers === null) return this.values?.[row] ?? null
    return itemOf(this.numbers[row] ?? Number.NaN)
  }

  /** Values of rows that stand beside each other; as numbers, NaN is null. */
  put(first: number, values: Float64Array | readonly (Item | null)[]): void {
    if (values instanceof Float64Array) {
      if (this.numbers !== null) this.numbers.set(values, first)
      else
        for (let index = 0; index < values.length; index += 1)
          this.set(first + index, itemOf(values[index] ?? Number.NaN))
      return
    }
    for (let index = 0; index < values.length; index += 1) this.set(first + index, values[index] ?? null)
  }

  set(row: number, value: Item | null): void {
    if (this.numbers !== null) {
      if (typeof value === 'number') {
        this.numbers[row] = value
        return
      }
      if (value === null) {
        this.numbers[row] = Number.NaN
        return
      }
      this.values = Array.from(this.numbers, (number) => itemOf<Item>(number))
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

/** Columns of numbers are made for items that numbers are. */
function itemOf<Item extends Value>(number: number): Item | null {
  return Number.isNaN(number) ? null : (number as Item)
}
