import { formatTimestamp } from '../../../definitions/timestamp.ts'
import type { ValueType } from '../../../definitions/value-type.ts'
import type { SnapshotComputation } from '../../snapshot-store.ts'
import { quoteIdentifier } from '../sql/identifier.ts'
import type { Sql } from '../sql/statement.ts'
import { closingColumn, managedTable, pushedColumn, writtenColumn } from '../tables/feature-table.ts'

type StoredQuestion = Pick<SnapshotComputation, 'view' | 'times'>

/** Columns of `storedSnapshotsSql`, behind the join keys. */
export function storedSnapshotTypes({ features }: StoredQuestion['view']): readonly ValueType[] {
  return ['timestamp', ...features.map((feature) => writtenColumn(feature).type), 'bool', 'timestamp', 'bool']
}

/**
 * Per key, in the order of the keys (strings by their bytes), newest first: every row from the first to the last
 * snapshot, then the newest one before. Columns: the join keys, the event timestamp, the features,
 * whether it closes, the created timestamp, whether it was pushed.
 *
 * Keys are found by stepping through the as-of index, one probe a key, so that the cost goes by keys and asked snapshots,
 * not by all the snapshots there ever were.
 */
export function storedSnapshotsSql(project: string, { view, times }: StoredQuestion): Sql {
  const table = managedTable(project, view)
  const keys = view.entity.joinKeys
  const columns = keys.map(({ name }) => `x.${quoteIdentifier(name)}`)
  const list = columns.join(', ')
  const named = keys.map((_, index) => `k${index}`)
  const known = named.map((name) => `k.${name}`).join(', ')
  const sorted = keys.map(({ type }, index) => `k.k${index}${type === 'string' ? ' collate "C"' : ''}`)
  const features = view.features.map((feature) => quoteIdentifier(writtenColumn(feature).name))
  const row = [
    'x.event_timestamp',
    ...features.map((name) => `x.${name}`),
    `coalesce(x.${closingColumn}, false) as ${closingColumn}`,
    'x.created_timestamp',
    `coalesce(x.${pushedColumn}, false) as ${pushedColumn}`,
  ]
  const outputs = [
    ...named.map((name) => `k.${name}`),
    'r.event_timestamp',
    ...features.map((name) => `r.${name}`),
    `r.${closingColumn}`,
    'r.created_timestamp',
    `r.${pushedColumn}`,
  ]
  const ofKey = columns.map((column, index) => `${column} = k.k${index}`).join(' and ')
  const newestFirst = 'x.event_timestamp desc, x.created_timestamp desc nulls last, x.row_id desc'
  const text = [
    `with recursive k(${named.join(', ')}) as (`,
    `  (select ${list} from ${table} as x order by ${list} limit 1)`,
    '  union all',
    '  select n.* from k cross join lateral (',
    `    select ${list} from ${table} as x where (${list}) > (${known}) order by ${list} limit 1`,
    '  ) as n',
    ')',
    `select ${outputs.join(', ')}`,
    `from (select ${known} from k order by ${sorted.join(', ')}) as k`,
    'cross join lateral (',
    `  (select ${row.join(', ')} from ${table} as x`,
    `    where ${ofKey} and x.event_timestamp >= $1::timestamptz and x.event_timestamp <= $2::timestamptz`,
    `    order by ${newestFirst})`,
    '  union all',
    `  (select ${row.join(', ')} from ${table} as x`,
    `    where ${ofKey} and x.event_timestamp < $1::timestamptz`,
    `    order by ${newestFirst} limit 1)`,
    ') as r',
  ]
  return {
    text: text.join('\n'),
    values: [formatTimestamp(times[0] ?? 0), formatTimestamp(times.at(-1) ?? 0)],
  }
}
