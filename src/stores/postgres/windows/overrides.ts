import type { EntityKey, KeyValue } from '../../../definitions/value.ts'
import type { Override, SnapshotView } from '../../snapshot-store.ts'
import { arrayParameter, fromSql, microsOf, selectExpression } from '../sql/column-type.ts'
import { quoteIdentifier } from '../sql/identifier.ts'
import type { Sql } from '../sql/statement.ts'
import { managedTable, pushedColumn } from '../tables/feature-table.ts'

/** Pushed rows that are the newest of their key and time, with whether the snapshot of that time was computed since. */
export function overridesSql(project: string, view: SnapshotView, key: EntityKey | null): Sql {
  const table = managedTable(project, view)
  const { joinKeys } = view.entity
  const values: unknown[] = [project, view.id]
  const ofKey = joinKeys.flatMap(({ name, type }, index) => {
    if (key === null) return []
    const { arrayType, encode, expression } = arrayParameter(type)
    values.push([encode(key[index] ?? '')])
    return [`x.${quoteIdentifier(name)} = ${expression(`($${values.length}::${arrayType})[1]`)}`]
  })
  const newer = [
    ...joinKeys.map(({ name }) => `n.${quoteIdentifier(name)} = x.${quoteIdentifier(name)}`),
    'n.event_timestamp = x.event_timestamp',
    `(coalesce(n.created_timestamp, '-infinity'), n.row_id) > (coalesce(x.created_timestamp, '-infinity'), x.row_id)`,
  ]
  const text = [
    `select ${joinKeys.map(({ name, type }) => selectExpression(type, `x.${quoteIdentifier(name)}`)).join(', ')},`,
    `  ${microsOf('x.event_timestamp')}, exists (`,
    '    select from featuregraph.snapshots as s join featuregraph.views as v on v.project = s.project and v.id = s.view_id',
    '    where s.project = $1 and v.name = $2 and s.as_of = x.event_timestamp and s.computed_at > x.created_timestamp',
    '  )',
    `from ${table} as x`,
    `where ${[`x.${pushedColumn}`, ...ofKey].join(' and ')}`,
    `  and not exists (select from ${table} as n where ${newer.join(' and ')})`,
  ]
  return { text: text.join('\n'), values }
}

export function readOverride({ entity: { joinKeys } }: SnapshotView, columns: readonly unknown[]): Override {
  return {
    key: joinKeys.map(({ type }, index) => fromSql(type, columns[index], () => {}) as KeyValue),
    eventTimestamp: Number(columns[joinKeys.length]),
    isRecomputed: columns[joinKeys.length + 1] === true,
  }
}
