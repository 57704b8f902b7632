import { fromLocalTime } from '../../definitions/local-time.ts'
import { type EpochUnit, sourceReading } from '../../definitions/source-reading.ts'
import type { Micros } from '../../definitions/timestamp.ts'
import type { KeyValue, Value } from '../../definitions/value.ts'
import type { ValueType } from '../../definitions/value-type.ts'
import { BadUserInput } from '../../errors.ts'
import { mismatch } from '../../ingest/accept/mismatch.ts'
import { readRawValue } from '../../ingest/accept/read-raw-value.ts'
import { Unfit } from '../../ingest/accept/unfit.ts'
import { readNulls } from '../../ingest/files/null-marks.ts'
import type { FileBatch, FileForm, OpenedFile, RowRange } from '../../stores/file-reader.ts'
import type { SpineColumn } from '../../stores/training-file.ts'
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
  readonly keys: readonly (readonly (KeyValue | null)[])[]
  readonly times: readonly (Micros | null)[]
  /** Per request value of the service. */
  readonly requests: readonly (readonly (Value | null)[])[]
  /** All columns, for a file whose values are not typed. */
  readonly columns: readonly (readonly (Value | null)[])[]
  readonly done: number
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
  const reader = (column: string, type: ValueType, isKey: boolean) =>
    readNulls(
      type,
      reading.nulls,
      readRawValue({
        ...{ type, form, isKey, fromDate, reading, fromLocalTime: fromLocal },
        timeColumn: form === 'TYPED' ? (timeColumns.get(column) ?? null) : null,
      }),
    )
  const isTyped = form === 'TYPED'
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
  let pending = emptyRows(plan)

  for await (const batch of inRange(opened.read(wanted, rows), isTyped ? null : rows)) {
    for (const [index, { reason }] of batch.malformed)
      problems.push(`row ${batch.rowNumbers[index]}: ${reason}`)
    const valuesOf = (
      place: number,
      read: (raw: unknown) => Value | null | Unfit,
      name: string,
    ): (Value | null)[] =>
      (batch.columns[place] ?? []).map((raw, index) => {
        const value = read(raw)
        if (!(value instanceof Unfit)) return value
        const timeColumn = timeColumns.get(wanted[place]?.column ?? '') ?? null
        problems.push(`row ${batch.rowNumbers[index]}, column "${name}": ${mismatch(value, raw, timeColumn)}`)
        return null
      })
    const times = valuesOf(0, readTime, plan.time) as (Micros | null)[]
    const read = present.map(({ column }, index) =>
      valuesOf(index + 1, readers[index] ?? (() => null), column),
    )
    const texts = others.map((_, index) => (batch.columns[1 + present.length + index] ?? []).map(textOf))
    if (problems.length > 0) refuse(problems)
    addRows(pending, {
      plan,
      times,
      read: new Map(present.map(({ name }, index) => [name, read[index] ?? []])),
      texts,
      others,
      isTyped,
    })
    if (pending.rows >= size) {
      yield { ...pending, done: batch.done }
      pending = emptyRows(plan)
    }
  }
  if (pending.rows > 0) yield { ...pending, done: 1 }
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
      malformed: new Map(
        [...batch.malformed].flatMap(([index, row]) =>
          index >= from && index < to ? [[index - from, row] as const] : [],
        ),
      ),
      done: batch.done,
    }
  }
}

type GrowingRows = {
  rows: number
  readonly keys: (KeyValue | null)[][]
  readonly times: (Micros | null)[]
  readonly requests: (Value | null)[][]
  readonly columns: (Value | null)[][]
}

function emptyRows({ read }: SpinePlan): GrowingRows {
  const columnsOf = (isKey: boolean) => read.filter((one) => one.isKey === isKey).map(() => [])
  return { rows: 0, keys: columnsOf(true), times: [], requests: columnsOf(false), columns: [] }
}

interface AddedRows {
  readonly plan: SpinePlan
  readonly times: readonly (Micros | null)[]
  /** By join key or request value. */
  readonly read: ReadonlyMap<string, readonly (Value | null)[]>
  readonly texts: readonly (readonly (Value | null)[])[]
  readonly others: readonly string[]
  readonly isTyped: boolean
}

function addRows(rows: GrowingRows, { plan, times, read, texts, others, isTyped }: AddedRows): void {
  const add = (targets: (Value | null)[][], isKey: boolean): void => {
    plan.read
      .filter((one) => one.isKey === isKey)
      .forEach(({ name }, place) => {
        const values = read.get(name)
        for (let index = 0; index < times.length; index += 1) targets[place]?.push(values?.[index] ?? null)
      })
  }
  add(rows.keys as (Value | null)[][], true)
  add(rows.requests, false)
  for (const time of times) rows.times.push(time)
  rows.rows += times.length
  if (isTyped) return
  plan.columns.forEach((name, place) => {
    const own = plan.read.find(({ column }) => column === name)
    const values = name === plan.time ? times : own ? read.get(own.name) : texts[others.indexOf(name)]
    const column = rows.columns[place] ?? []
    rows.columns[place] = column
    for (const value of values ?? []) column.push(value)
  })
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
