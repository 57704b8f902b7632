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
  entries.forEach((entry, index) => {
    if (entry === null) return
    const place = first + index
    if ('storedSince' in entry || 'notComputed' in entry) {
      target.exceptions.set(place, entry)
      return
    }
    if ('lacking' in entry) target.exceptions.set(place, { lacking: entry.lacking })
    const row = 'lacking' in entry ? entry.row : entry
    if (row === null || row.closing) return
    target.eventTimestamps[place] = row.eventTimestamp
    target.columns.forEach((column, at) => {
      column.set(place, row.values[at] ?? null)
    })
  })
}
