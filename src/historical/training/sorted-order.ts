import type { KeyValue } from '../../definitions/value.ts'

/** An entry a row; numbers are safe integers. */
export type SortColumn = Float64Array | readonly KeyValue[]

/** Of fewer rows the passes cost more than comparing, before they are compiled. */
const usualComparedRows = 50_000

/**
 * The rows' places, by the columns in their order and then by place. Integers of many rows take some passes over them, by 11 binary
 * digits each from the lowest on, which costs a tenth of comparing a million; others are compared.
 */
export function sortedOrder(
  rows: number,
  columns: readonly SortColumn[],
  comparedRows = usualComparedRows,
): Uint32Array {
  let order = new Uint32Array(rows)
  for (let row = 0; row < rows; row += 1) order[row] = row
  if (rows <= comparedRows) return order.sort(comparison(columns))
  const spread = columns.map((column) => (column instanceof Float64Array ? digitsOf(column) : null))
  if (spread.some((one) => one === null)) return order.sort(comparison(columns))
  let other = new Uint32Array(rows)
  for (const digits of spread.toReversed()) {
    if (digits === null) continue
    for (let digit = 0; digit < digits.count; digit += 1) {
      pass(digits, digit, order, other)
      ;[order, other] = [other, order]
    }
  }
  return order
}

/** By the columns in their order. */
export function comparison(columns: readonly SortColumn[]): (left: number, right: number) => number {
  return (left, right) => {
    for (const column of columns) {
      const order = compareKeys(column[left] ?? 0, column[right] ?? 0)
      if (order !== 0) return order
    }
    return 0
  }
}

/** An int64 beyond the safe integers is text, which stands behind the numbers. */
function compareKeys(left: KeyValue, right: KeyValue): number {
  if (typeof left !== typeof right) return typeof left === 'number' ? -1 : 1
  return left === right ? 0 : left < right ? -1 : 1
}

const digitBits = 11
const digitValues = 2 ** digitBits
const lowValues = digitValues ** 2

/** What each number is above the least, its lowest two digits beside the others. */
interface Digits {
  readonly low: Uint32Array
  readonly high: Uint32Array
  readonly count: number
}

/** Null: they are further apart than a number holds exactly. */
function digitsOf(numbers: Float64Array): Digits | null {
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const number of numbers) {
    if (number < least) least = number
    if (number > most) most = number
  }
  const range = numbers.length === 0 ? 0 : most - least
  if (!Number.isSafeInteger(range)) return null
  const low = new Uint32Array(numbers.length)
  const high = new Uint32Array(numbers.length)
  for (let row = 0; row < numbers.length; row += 1) {
    const above = (numbers[row] ?? 0) - least
    const rest = Math.floor(above / lowValues)
    high[row] = rest
    low[row] = above - rest * lowValues
  }
  let count = 0
  for (let left = range; left >= 1; left /= digitValues) count += 1
  return { low, high, count }
}

/** Keeps the order of rows with the same digit. */
function pass({ low, high }: Digits, digit: number, from: Uint32Array, to: Uint32Array): void {
  const [source, shift] = digit < 2 ? [low, digit * digitBits] : [high, (digit - 2) * digitBits]
  const starts = new Uint32Array(digitValues + 1)
  for (const part of source) {
    const value = ((part >>> shift) & (digitValues - 1)) + 1
    starts[value] = (starts[value] ?? 0) + 1
  }
  for (let value = 1; value <= digitValues; value += 1)
    starts[value] = (starts[value] ?? 0) + (starts[value - 1] ?? 0)
  for (const row of from) {
    const value = ((source[row] ?? 0) >>> shift) & (digitValues - 1)
    const at = starts[value] ?? 0
    to[at] = row
    starts[value] = at + 1
  }
}
