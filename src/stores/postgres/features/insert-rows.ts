import type { FeatureRow } from '../../../definitions/value.ts'
import type { StoredOfflineView } from '../../offline-view.ts'
import { arrayParameter } from '../sql/column-type.ts'
import { quoteIdentifier } from '../sql/identifier.ts'
import type { Sql } from '../sql/statement.ts'
import { managedTable, pushedColumn, writtenColumns } from '../tables/feature-table.ts'

/** Appends pushed rows as one array a column; answers one `row_id` a row, ascending in the order given. */
export function insertRowsSql(project: string, view: StoredOfflineView, rows: readonly FeatureRow[]): Sql {
  const written = rows.map((row) => [...row.key, row.eventTimestamp, row.createdTimestamp, ...row.values])
  const columns = writtenColumns(view).map(({ name, type }, index) => {
    const parameter = arrayParameter(type)
    const values = written.map((row) => {
      const value = row[index] ?? null
      return value === null ? null : parameter.encode(value)
    })
    return { name, parameter, values }
  })
  const isOverride = view.kind === 'BATCH'
  const names = [...columns.map(({ name }) => name), ...(isOverride ? [pushedColumn] : [])]
  const items = columns.map((column, index) => column.parameter.expression(`i.c${index}`))
  const arrays = columns.map((column, index) => `$${index + 1}::${column.parameter.arrayType}`).join(', ')
  return {
    text: [
      `insert into ${managedTable(project, view)} (${names.map(quoteIdentifier).join(', ')})`,
      `select ${[...items, ...(isOverride ? ['true'] : [])].join(', ')}`,
      `from unnest(${arrays}) with ordinality as i(${columns.map((_, index) => `c${index}`).join(', ')}, place)`,
      'order by i.place',
      'returning row_id',
    ].join('\n'),
    values: columns.map((column) => column.values),
  }
}
