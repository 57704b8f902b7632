import { formatTimestamp } from '../../../definitions/timestamp.ts'
import type { FeatureRow } from '../../../definitions/value.ts'
import type { StoredOfflineView } from '../../offline-view.ts'
import { type ArrayParameter, arrayParameter } from '../sql/column-type.ts'
import { quoteIdentifier } from '../sql/identifier.ts'
import type { Sql } from '../sql/statement.ts'
import { managedTable } from '../tables/feature-table.ts'

/** Appends rows as one array a column; answers one `row_id` a row, ascending in the order given. */
export function insertRowsSql(project: string, view: StoredOfflineView, rows: readonly FeatureRow[]): Sql {
  const { joinKeys } = view.entity
  const columns = [
    ...joinKeys.map((key, index) => ({
      name: key.name,
      parameter: arrayParameter(key.type),
      values: rows.map((row) => row.key[index] ?? null),
    })),
    timestampColumn('event_timestamp', rows, (row) => row.eventTimestamp),
    timestampColumn('created_timestamp', rows, (row) => row.createdTimestamp),
    ...view.features.map((feature, index) => {
      const parameter = arrayParameter(feature.type)
      const values = rows.map((row) => {
        const value = row.values[index] ?? null
        return value === null ? null : parameter.encode(value)
      })
      return { name: feature.name, parameter, values }
    }),
  ]
  const names = columns.map((column) => quoteIdentifier(column.name)).join(', ')
  const items = columns.map((column, index) => column.parameter.expression(`i.c${index}`)).join(', ')
  const arrays = columns.map((column, index) => `$${index + 1}::${column.parameter.arrayType}`).join(', ')
  return {
    text: [
      `insert into ${managedTable(project, view)} (${names})`,
      `select ${items}`,
      `from unnest(${arrays}) with ordinality as i(${columns.map((_, index) => `c${index}`).join(', ')}, place)`,
      'order by i.place',
      'returning row_id',
    ].join('\n'),
    values: columns.map((column) => column.values),
  }
}

interface InsertColumn {
  readonly name: string
  readonly parameter: ArrayParameter
  readonly values: readonly unknown[]
}

function timestampColumn(
  name: string,
  rows: readonly FeatureRow[],
  microsOfRow: (row: FeatureRow) => number | null,
): InsertColumn {
  const values = rows.map((row) => {
    const micros = microsOfRow(row)
    return micros === null ? null : formatTimestamp(micros)
  })
  return { name, parameter: arrayParameter('timestamp'), values }
}
