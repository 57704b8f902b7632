import { formatTimestamp, type Micros } from '../../definitions/timestamp.ts'
import type { Value } from '../../definitions/value.ts'
import type { ValueType } from '../../definitions/value-type.ts'
import { BadUserInput } from '../../errors.ts'
import type { BatchView } from '../../registry/registry.ts'
import type { SnapshotBatch } from '../../stores/snapshot-files.ts'
import { mismatch } from '../accept/mismatch.ts'
import { type ReadValue, readRawValue } from '../accept/read-raw-value.ts'
import { Unfit } from '../accept/unfit.ts'

type Row = readonly (Value | null)[]

interface ReadColumn {
  readonly name: string
  readonly read: ReadValue
  readonly isKey: boolean
}

/**
 * Sorted rows of files, checked, in the columns of `SnapshotStore.take`.
 * @throws BadUserInput for the first row that has no key, a value that is none of its type, or the key and time of another
 * row; the signal's reason once it has aborted.
 */
export async function* computedRows(
  view: BatchView,
  folder: string,
  batches: AsyncIterable<SnapshotBatch>,
  signal: AbortSignal,
): AsyncGenerator<readonly Row[]> {
  const columns = readColumns(view)
  const width = view.entity.joinKeys.length
  const misfit = (row: Row, problem: string): BadUserInput =>
    new BadUserInput(`${folder}: the row of ${described(view, row)}: ${problem}`)
  let last: Row | null = null
  for await (const batch of batches) {
    signal.throwIfAborted()
    const rows = Array.from({ length: batch.rows }, (_, index) => {
      const row: (Value | null)[] = []
      for (const [place, { name, read, isKey }] of columns.entries()) {
        const raw = batch.columns[place]?.[index]
        const value = read(raw)
        if (value instanceof Unfit)
          throw misfit(row, `${name}: ${mismatch(value, raw, isTime(view, place) ? 'INSTANT' : null)}`)
        if (isKey && value === null)
          throw misfit(row, `${name} is null; a row is about an entity, so every join key has a value`)
        row.push(value)
      }
      if (last !== null && startsAlike(last, row, width + 1))
        throw misfit(row, 'there are two of this key and time; a snapshot has one row a key')
      last = row
      return row
    })
    yield rows
  }
}

function isTime(view: BatchView, place: number): boolean {
  const width = view.entity.joinKeys.length
  return place === width || view.features[place - width - 1]?.type === 'timestamp'
}

function startsAlike(left: Row, right: Row, columns: number): boolean {
  for (let index = 0; index < columns; index += 1) if (left[index] !== right[index]) return false
  return true
}

function readColumns({ entity, features }: BatchView): readonly ReadColumn[] {
  const column = (name: string, type: ValueType, isKey = false): ReadColumn => {
    const asIs = (local: Micros): Micros => local
    const times = { timeColumn: 'INSTANT', fromLocalTime: asIs, fromDate: asIs } as const
    const reading = { unit: null, dates: false, format: null, nulls: [], decimalComma: false }
    return { name, isKey, read: readRawValue({ type, form: 'TYPED', isKey, reading, ...times }) }
  }
  return [
    ...entity.joinKeys.map(({ name, type }) => column(name, type, true)),
    column('event_timestamp', 'timestamp'),
    ...features.map(({ name, type }) => column(name, type)),
    column('closing', 'bool'),
    ...features.map(({ name }) => column(`${name}__tolerance`, 'float64')),
  ]
}

/** What is known of it so far. */
function described({ entity }: BatchView, row: Row): string {
  const key = entity.joinKeys.flatMap(({ name }, index) =>
    row[index] === undefined ? [] : [`${name} ${JSON.stringify(row[index])}`],
  )
  const time = row[entity.joinKeys.length]
  return [key.join(', ') || 'an unknown key', ...(time ? [`at ${formatTimestamp(Number(time))}`] : [])].join(
    ' ',
  )
}
