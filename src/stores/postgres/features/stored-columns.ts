import type { Value } from '../../../definitions/value.ts'
import type { ValueType } from '../../../definitions/value-type.ts'
import type { AsOfException } from '../../as-of-snapshot.ts'
import type { StoredOfflineView } from '../../offline-view.ts'
import { fromSql } from '../sql/column-type.ts'
import { quoteIdentifier } from '../sql/identifier.ts'
import type { Sql } from '../sql/statement.ts'
import { snapshotParameter } from '../sql/visible-in.ts'
import { closingColumn, selectedFeatureType } from '../tables/feature-table.ts'
import { computedBy, probe } from './as-of-join.ts'
import type { GrowingColumns } from './growing-columns.ts'

/** A statement over a table of entity rows, and how its binary rows are read. */
export interface StoredColumnsSql {
  readonly sql: Sql
  readonly types: readonly ValueType[]
}

/**
 * As `asOfJoinSql`, of views with a table, over entity rows that stand in one, and without what only an answer shows: per row
 * its place, then per view the newest row's event timestamp and features, of a batch view whether it is a closing row, why it
 * was not computed and what it lacks. In no order.
 */
export function storedColumnsSql(project: string, { views, from, visibleIn }: StoredJoin): StoredColumnsSql {
  const values: unknown[] = []
  const visible = snapshotParameter(visibleIn, values)
  const probes = views.map((view, index) => probe(project, view, index, visible))
  const computed = views.map((view, index) =>
    view.kind === 'BATCH' ? computedBy(view, index, { project, values, visible }) : null,
  )
  const columns = views.map((view, index) => [
    `v${index}.event_timestamp`,
    ...view.features.map(({ name }) => `v${index}.${quoteIdentifier(name)}`),
    ...(view.kind === 'BATCH' ? [`v${index}.${closingColumn}`] : []),
    ...(computed[index]?.columns ?? []),
  ])
  const definitions = computed.flatMap((one) => one?.definitions ?? [])
  const lines = [
    ...(definitions.length === 0 ? [] : [`with ${definitions.join(', ')}`]),
    `select ${['e.place', ...columns.flat()].join(', ')}`,
    `from ${from} as e`,
    ...probes.flatMap((own, index) => [own, ...(computed[index]?.joins ?? [])]),
  ]
  return {
    sql: { text: lines.join('\n'), values },
    types: ['int32', ...views.flatMap(columnTypes)],
  }
}

interface StoredJoin {
  readonly views: readonly StoredOfflineView[]
  /** A table of entity rows. */
  readonly from: string
  /** See `AsOfJoin`. */
  readonly visibleIn: string | null
}

function columnTypes(view: StoredOfflineView): readonly ValueType[] {
  return [
    'timestamp',
    ...view.features.map((feature) => selectedFeatureType(view, feature)),
    ...(view.kind === 'BATCH' ? (['bool', 'string', 'string[]'] as const) : []),
  ]
}

/** Postgres' -infinity in the binary format, and anything else before all times. */
const beforeAllTimes = -8e18

/** Puts rows of the statement to their places among the entity rows. */
export function storedRowWriter(
  views: readonly StoredOfflineView[],
  targets: readonly GrowingColumns[],
  countNonFinite: (view: string) => void,
): (row: readonly unknown[]) => void {
  let next = 1
  const writers = views.flatMap((view, index) => {
    const first = next
    next += columnTypes(view).length
    const target = targets[index]
    return target ? [viewWriter(view, first, target, () => countNonFinite(view.name))] : []
  })
  return (row) => {
    const place = row[0] as number
    for (const write of writers) write(row, place)
  }
}

function viewWriter(
  { features, kind }: StoredOfflineView,
  first: number,
  { eventTimestamps, columns, exceptions }: GrowingColumns,
  countNonFinite: () => void,
): (row: readonly unknown[], place: number) => void {
  const readers = features.map(({ type }) => valueReader(type, countNonFinite))
  const behind = first + 1 + features.length
  return (row, place) => {
    if (kind === 'BATCH') {
      const exception = exceptionOf(row, behind + 1)
      if (exception !== null) exceptions.set(place, exception)
      const isClosing = row[behind] === true
      if (isClosing || (exception !== null && 'notComputed' in exception)) return
    }
    const event = row[first] as number | null
    if (event === null || event < beforeAllTimes) return
    eventTimestamps[place] = event
    for (let at = 0; at < readers.length; at += 1) {
      const raw = row[first + 1 + at]
      const read = readers[at]
      if (raw !== null && read !== undefined) columns[at]?.set(place, read(raw))
    }
  }
}

/** As `fromSql`; of the usual types without asking for the type of every value. */
function valueReader(type: ValueType, countNonFinite: () => void): (raw: unknown) => Value | null {
  if (type === 'float64')
    return (raw) => (Number.isFinite(raw) ? (raw as number) : fromSql(type, raw, countNonFinite))
  if (type === 'int64' || type === 'timestamp')
    return (raw) => (typeof raw === 'number' ? raw : fromSql(type, raw, countNonFinite))
  return (raw) => fromSql(type, raw, countNonFinite)
}

function exceptionOf(row: readonly unknown[], at: number): AsOfException | null {
  const [notComputed, lacking] = [row[at], row[at + 1]]
  if (notComputed === 'RECOMPUTING' || notComputed === 'NEVER_FILLED') return { notComputed }
  return Array.isArray(lacking) ? { lacking: lacking.map(String) } : null
}
