import type pg from 'pg'
import type { ValueType } from '../../../definitions/value-type.ts'
import type { StoredOfflineView } from '../../offline-view.ts'
import { type CopyRows, copyRows } from '../sql/copy-rows.ts'
import { quoteIdentifier } from '../sql/identifier.ts'
import { managedTable, writtenColumns } from './feature-table.ts'

/**
 * Feature rows by COPY into a view's managed table, in the order of `writtenColumns` and `more`; row id and transaction
 * are the table's defaults.
 */
export function featureCopy(
  client: pg.ClientBase,
  project: string,
  view: StoredOfflineView,
  more: readonly { readonly name: string; readonly type: ValueType }[] = [],
): CopyRows {
  const columns = [...writtenColumns(view), ...more]
  const names = columns.map(({ name }) => quoteIdentifier(name)).join(', ')
  return copyRows(
    client,
    `${managedTable(project, view)} (${names})`,
    columns.map(({ type }) => type),
  )
}
