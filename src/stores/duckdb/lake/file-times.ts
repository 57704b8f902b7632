import type { PartitionUnit } from '../../../definitions/parquet-source.ts'
import type { Micros } from '../../../definitions/timestamp.ts'
import type { Problem } from '../../../errors.ts'

/** Event timestamps from `from` on and before `to`; null is no bound. */
export interface TimeRange {
  readonly from: Micros | null
  readonly to: Micros | null
}

export const allTimes: TimeRange = { from: null, to: null }

/** Of a file whose rows have no event timestamp, as Hive names their partition: none is a row. */
const noTimes: TimeRange = { from: 0, to: 0 }
const nullPartition = '__HIVE_DEFAULT_PARTITION__'

const units: readonly PartitionUnit[] = ['year', 'month', 'day', 'hour']

/** How a value says a whole moment of the unit, and how it says its own part alone, below the parts that are larger. */
const forms: Readonly<
  Record<PartitionUnit, { readonly whole: RegExp; readonly part: RegExp; readonly shown: string }>
> = {
  year: { whole: /^\d{4}$/, part: /^\d{4}$/, shown: '2026' },
  month: { whole: /^\d{4}-\d{2}$/, part: /^\d{1,2}$/, shown: '2026-11, or 11 below a year' },
  day: { whole: /^\d{4}-\d{2}-\d{2}$/, part: /^\d{1,2}$/, shown: '2026-11-28, or 28 below a month' },
  hour: {
    whole: /^\d{4}-\d{2}-\d{2}[T -]\d{2}$/,
    part: /^\d{1,2}$/,
    shown: '2026-11-28-13, or 13 below a day',
  },
}

/** Values of the Hive partition columns that stand in a path, decoded. */
export function partitionValues(path: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>()
  for (const segment of path.split('/').slice(0, -1)) {
    const at = segment.indexOf('=')
    if (at > 0) values.set(decoded(segment.slice(0, at)), decoded(segment.slice(at + 1)))
  }
  return values
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The event timestamps that a file's rows may have, by the declared partition columns (UTC), or what is wrong with them. */
export function fileTimes(
  partitions: Readonly<Record<string, PartitionUnit>>,
  path: string,
): TimeRange | Problem {
  const declared = Object.entries(partitions)
  if (declared.length === 0) return allTimes
  const values = partitionValues(path)
  const ordered = declared.sort(([, left], [, right]) => units.indexOf(left) - units.indexOf(right))
  let parts: readonly number[] = []
  let range = allTimes
  for (const [column, unit] of ordered) {
    const value = values.get(column)
    if (value === undefined) {
      const found = [...values.keys()].join(', ')
      return {
        path,
        message: `the source declares the partition column "${column}", the path has ${found === '' ? 'none' : `only ${found}`}`,
      }
    }
    if (value === nullPartition) return noTimes
    const { whole, part, shown } = forms[unit]
    const place = units.indexOf(unit)
    const numbers = whole.test(value)
      ? value.split(/[T -]/).map(Number)
      : part.test(value) && parts.length === place
        ? [...parts, Number(value)]
        : null
    const own = numbers === null ? null : rangeOf(numbers)
    if (numbers === null || own === null)
      return { path, message: `the partition ${column}=${value} is no ${unit}; expected as ${shown}` }
    parts = numbers
    range = own
  }
  return range
}

/** Of year, month, day and hour as far as they are given. Null where there is no such moment. */
function rangeOf(numbers: readonly number[]): TimeRange | null {
  const [year = 0, month = 1, day = 1, hour = 0] = numbers
  const at = (...more: readonly number[]): number => {
    const [years = 0, months = 0, days = 0, hours = 0] = more
    return Date.UTC(year + years, month - 1 + months, day + days, hour + hours)
  }
  const from = new Date(at())
  const isThere =
    from.getUTCFullYear() === year &&
    from.getUTCMonth() === month - 1 &&
    from.getUTCDate() === day &&
    from.getUTCHours() === hour
  if (!isThere) return null
  const next = numbers.map((_, index) => (index === numbers.length - 1 ? 1 : 0))
  return { from: from.getTime() * 1_000, to: at(...next) * 1_000 }
}

/** Whether rows of the one may be in the other. */
export function overlaps(one: TimeRange, other: TimeRange): boolean {
  const before = (to: Micros | null, from: Micros | null): boolean =>
    to !== null && from !== null && to <= from
  return !before(one.to, other.from) && !before(other.to, one.from)
}
