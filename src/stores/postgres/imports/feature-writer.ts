import type pg from 'pg'
import type { Value } from '../../../definitions/value.ts'
import type { StoredOfflineView } from '../../offline-store.ts'
import { copyRows } from '../sql/copy-rows.ts'
import { quoteIdentifier } from '../sql/identifier.ts'
import { managedTable, writtenColumns } from '../tables/feature-table.ts'
import { copyPieceBytes, type RowWriter } from './row-writer.ts'

/** Feature rows by COPY into a view's managed table; row id and transaction are the table's defaults. */
export function featureWriter(client: pg.ClientBase, project: string, view: StoredOfflineView): RowWriter {
  const { joinKeys } = view.entity
  const written = writtenColumns(view)
  const types = written.map(({ type }) => type)
  const columns = written.map(({ name }) => quoteIdentifier(name)).join(', ')
  const copy = copyRows(client, `${managedTable(project, view)} (${columns})`, types)
  const row: (Value | null)[] = types.map(() => null)
  return {
    async write({ kept, eventTimestamps, createdTimestamps, columns: values }) {
      for (const index of kept) {
        let place = 0
        for (const [at, column] of values.entries()) {
          if (at === joinKeys.length) {
            row[place++] = eventTimestamps[index] ?? null
            row[place++] = createdTimestamps[index] ?? null
          }
          row[place++] = column[index] ?? null
        }
        copy.add(row)
      }
      if (copy.size() >= copyPieceBytes) await copy.flush()
    },
    async pause() {
      await copy.flush()
      await copy.end()
    },
    abort: copy.abort,
    finish: async () => {},
  }
}
