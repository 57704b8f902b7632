import { fromLocalTime } from '../../definitions/local-time.ts'
import { type EpochUnit, sourceReading } from '../../definitions/source-reading.ts'
import type { KeyValue, Value } from '../../definitions/value.ts'
import type { ValueType } from '../../definitions/value-type.ts'
import { BadUserInput } from '../../errors.ts'
import { mismatch } from '../../ingest/accept/mismatch.ts'
import { type ReadValue, readRawValue } from '../../ingest/accept/read-raw-value.ts'
import { Unfit } from '../../ingest/accept/unfit.ts'
import { readNulls } from '../../ingest/files/null-marks.ts'
import {
  type FileBatch,
  type FileForm,
  noNumbers,
  type OpenedFile,
  type RowRange,
} from '../../stores/file-reader.ts'
import type { SpineColumn } from '../../stores/training-file.ts'
import type { ValueColumn } from '../../stores/value-column.ts'
import { growingSpine, type Values } from './growing-spine.ts'
import { type IsPlain, plainNumbers } from './plain-numbers.ts'
import type { SpinePlan } from './spine-plan.ts'

export interface SpineReading {
  /** Of times without an offset; null: they are refused. */
  readonly timezone: string | null
  /** What times that are numbers count from 1970 on. */
  readonly timeUnit: EpochUnit | null
}

interface SpinePart extends SpineReading {
  /** Null: all. */
  readonly rows: RowRange | null
}

/** Entity rows of the spine, in its order. */
export interface SpineRows {
  readonly rows: number
  /** Per join key of the service, an entry a row. */
  readonly keys: readonly ValueColumn<KeyValue>[]
  /** In microseconds; NaN where there is none. */
  readonly times: Float64Array
  /** Per request value of the service. */
  readonly requests: readonly ValueColumn[]
  /** All columns, for a file whose values are not typed. */
  readonly columns: readonly (readonly (Value | null)[])[]
  readonly done: number
}

/** How a column that is read becomes values. */
interface ColumnReader {
  readonly name: string
  readonly read: ReadValue
  /** Null: numbers are read one by one, too. */
  readonly isPlain: IsPlain | null
}

/** How many problems are listed before a spine is refused. */
const shownProblems = 5

/** The columns of a text spine: what is read has its type, of others the values decide. */
export function spineColumns({ columns, time, read }: SpinePlan, form: FileForm): readonly SpineColumn[] {
  if (form === 'TYPED') return columns.map((name) => ({ name, type: null }))
  return columns.map((name) => {
    const type = name === time ? 'timestamp' : read.find(({ column }) => column === name)?.type
    return { name, type: type ?? null }
  })
}

/**
 * The spine's rows in batches of about `size`. Missing keys and times are nulls, everything else that cannot be read refuses
 * the whole spine: a row that were left out would not be missed.
 * @throws BadUserInput with the first rows and columns that cannot be read.
 */
export async function* readSpine(
  opened: OpenedFile,
  plan: SpinePlan,
  { timezone, timeUnit, rows }: SpinePart,
  size: number,
): AsyncGenerator<SpineRows> {
  const { form, timeColumns } = opened
  const reading = sourceReading({ ...(timeUnit && { unit: timeUnit }), dates: true })
  const fromDate = fromLocalTime(timezone ?? 'UTC')
  const noZone = new Unfit(
    'a time with an offset',
    'times without one are read with --assume-utc or --timezone',
  )
  const fromLocal = timezone === null ? () => noZone : fromLocalTime(timezone)
  const isTyped = form === 'TYPED'
  const reader = (column: string, type: ValueType, isKey: boolean): ColumnReader => {
    const timeColumn = isTyped ? (timeColumns.get(column) ?? null) : null
    const options = { type, form, isKey, fromDate, reading, fromLocalTime: fromLocal, timeColumn }
    return {
      name: column,
      read: readNulls(type, reading.nulls, readRawValue(options)),
      isPlain: isTyped ? plainNumbers(type, timeColumn) : null,
    }
  }
  const others = isTyped ? [] : plan.columns.filter((name) => !isRead(plan, name))
  const present = plan.read.flatMap((one) => (one.column === null ? [] : [{ ...one, column: one.column }]))
  const readers = present.map(({ column, type, isKey }) => reader(column, type, isKey))
  const readTime = reader(plan.time, 'timestamp', false)
  const wanted = [
    { column: plan.time, type: 'timestamp' as const },
    ...present.map(({ column, type }) => ({ column, type })),
    ...others.map((column) => ({ column, type: null })),
  ]
  const problems: string[] = []
  const growing = growingSpine(plan)
  const columnsOf = (
    times: Values,
    read: ReadonlyMap<string, Values>,
    texts: readonly Values[],
  ): readonly Values[] =>
    plan.columns.map((name) => {
      if (name === plan.time) return times
      const own = plan.read.find(({ column }) => column === name)
      return (own ? read.get(own.name) : texts[others.indexOf(name)]) ?? []
    })

  for await (const batch of inRange(opened.read(wanted, rows), isTyped ? null : rows)) {
    for (const [index, { reason }] of batch.malformed)
      problems.push(`row ${batch.rowNumbers[index]}: ${reason}`)
    const valuesOf = (place: number, { read, isPlain, name }: ColumnReader): Values => {
      const numbers = isPlain === null ? null : batch.numbers(place)
      if (numbers !== null && isPlain?.(numbers)) return numbers
      return (batch.columns[place] ?? []).map((raw, index) => {
        const value = read(raw)
        if (!(value instanceof Unfit)) return value
        const timeColumn = timeColumns.get(wanted[place]?.column ?? '') ?? null
        problems.push(`row ${batch.rowNumbers[index]}, column "${name}": ${mismatch(value, raw, timeColumn)}`)
        return null
      })
    }
    const times = valuesOf(0, readTime)
    const read = new Map(
      present.flatMap(({ name }, index) => {
        const reader = readers[index]
        return reader ? [[name, valuesOf(index + 1, reader)] as const] : []
      }),
    )
    const texts = others.map((_, index) => (batch.columns[1 + present.length + index] ?? []).map(textOf))
    if (problems.length > 0) refuse(problems)
    growing.add({
      rows: batch.rowNumbers.length,
      times,
      read,
      columns: isTyped ? [] : columnsOf(times, read, texts),
    })
    if (growing.rows() >= size) yield growing.take(batch.done)
  }
  if (growing.rows() > 0) yield growing.take(1)
}

/** The rows of the range only, of a file that hands on all of its rows. */
async function* inRange(batches: AsyncIterable<FileBatch>, rows: RowRange | null): AsyncGenerator<FileBatch> {
  let next = 0
  for await (const batch of batches) {
    const first = next
    next += batch.rowNumbers.length
    if (rows === null) {
      yield batch
      continue
    }
    if (first >= rows.to) return
    const [from, to] = [Math.max(0, rows.from - first), rows.to - first]
    if (from >= batch.rowNumbers.length) continue
    yield {
      rowNumbers: batch.rowNumbers.slice(from, to),
      columns: batch.columns.map((column) => column.slice(from, to)),
      numbers: noNumbers,
      malformed: new Map(
        [...batch.malformed].flatMap(([index, row]) =>
          index >= from && index < to ? [[index - from, row] as const] : [],
        ),
      ),
      done: batch.done,
    }
  }
}

function isRead({ time, read }: SpinePlan, name: string): boolean {
  return name === time || read.some(({ column }) => column === name)
}

function textOf(raw: unknown): string | null {
  if (raw === null || raw === undefined) return null
  return typeof raw === 'object' ? JSON.stringify(raw) : String(raw)
}

function refuse(problems: readonly string[]): never {
  const shown = problems.slice(0, shownProblems)
  const more =
    problems.length > shown.length ? [`and ${problems.length - shown.length} more in these rows`] : []
  throw new BadUserInput(
    [
      'the spine cannot be read; nothing was written:',
      ...[...shown, ...more].map((line) => `  ${line}`),
    ].join('\n'),
  )
}
