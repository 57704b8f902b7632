import type { AsOfEntry } from '../../as-of-reader.ts'
import type { AsOfColumns, AsOfException } from '../../as-of-snapshot.ts'
import type { OfflineView } from '../../offline-view.ts'
import { ValueColumn } from '../../value-column.ts'

/** Columns whose rows are put to their places in any order. */
export interface GrowingColumns extends AsOfColumns {
  readonly exceptions: Map<number, AsOfException>
}

/** Of `rows` entity rows for which nothing was found. */
export function noRows({ features }: OfflineView, rows: number): GrowingColumns {
  return {
    eventTimestamps: new Float64Array(rows).fill(Number.NaN),
    columns: features.map(({ type }) => new ValueColumn(type, rows)),
    exceptions: new Map(),
  }
}

/** What an as-of join answered for the entity rows from `first` on. */
export function putEntries(target: GrowingColumns, first: number, entries: readonly AsOfEntry[]): void {
  for (const [index, entry] of entries.entries()) putEntry(target, first + index, entry)
}

/** In the place of what was put there before. */
export function putEntry(
  { eventTimestamps, columns, exceptions }: GrowingColumns,
  place: number,
  entry: AsOfEntry,
): void {
  if (entry === null) return
  if ('storedSince' in entry || 'notComputed' in entry) {
    exceptions.set(place, entry)
    eventTimestamps[place] = Number.NaN
    for (const column of columns) column.set(place, null)
    return
  }
  if ('lacking' in entry) exceptions.set(place, { lacking: entry.lacking })
  const row = 'lacking' in entry ? entry.row : entry
  if (row === null || row.closing) return
  eventTimestamps[place] = row.eventTimestamp
  for (let at = 0; at < columns.length; at += 1) columns[at]?.set(place, row.values[at] ?? null)
}
