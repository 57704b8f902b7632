import type { ValueType } from '../../../definitions/value-type.ts'
import type { AsOfException } from '../../as-of-snapshot.ts'
import type { StoredOfflineView } from '../../offline-view.ts'
import type { ValueColumn } from '../../value-column.ts'
import type { BinaryRow } from '../sql/binary-row.ts'
import { fromSql } from '../sql/column-type.ts'
import { microsFrom1970To2000 } from '../sql/copy-binary.ts'
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
): (row: BinaryRow) => void {
  let next = 1
  const writers = views.flatMap((view, index) => {
    const first = next
    next += columnTypes(view).length
    const target = targets[index]
    return target ? [viewWriter(view, first, target, () => countNonFinite(view.name))] : []
  })
  return (row) => {
    const place = row.integer(0)
    for (const write of writers) write(row, place)
  }
}

type WriteView = (row: BinaryRow, place: number) => void

function viewWriter(
  view: StoredOfflineView,
  first: number,
  { eventTimestamps, columns, exceptions }: GrowingColumns,
  countNonFinite: () => void,
): WriteView {
  const writers = view.features.flatMap((feature, at) => {
    const target = columns[at]
    const selected = selectedFeatureType(view, feature)
    return target ? [featureWriter(feature.type, selected, first + 1 + at, target, countNonFinite)] : []
  })
  const isBatch = view.kind === 'BATCH'
  const behind = first + 1 + view.features.length
  return (row, place) => {
    if (isBatch) {
      const exception = exceptionOf(row, behind + 1)
      if (exception !== null) exceptions.set(place, exception)
      const isClosing = row.value(behind) === true
      if (isClosing || (exception !== null && 'notComputed' in exception)) return
    }
    if (row.isNull(first)) return
    const near = row.safeInteger(first) + microsFrom1970To2000
    const event = Number.isNaN(near) ? Number(row.value(first)) : near
    if (event < beforeAllTimes) return
    eventTimestamps[place] = event
    for (const write of writers) write(row, place)
  }
}

/** As `fromSql`; of the usual types without a step between. */
function featureWriter(
  type: ValueType,
  selected: ValueType,
  column: number,
  target: ValueColumn,
  countNonFinite: () => void,
): WriteView {
  const write: WriteView = (row, place) => target.set(place, fromSql(type, row.value(column), countNonFinite))
  const isInteger = selected === 'int64' && (type === 'int64' || type === 'timestamp')
  if (!isInteger && !(selected === 'float64' && type === 'float64')) return write
  const read = isInteger ? 'safeInteger' : 'float64'
  return (row, place) => {
    if (row.isNull(column)) return
    const { numbers } = target
    const number = row[read](column)
    if (numbers !== null && Number.isFinite(number)) numbers[place] = number
    else write(row, place)
  }
}

function exceptionOf(row: BinaryRow, at: number): AsOfException | null {
  const [notComputed, lacking] = [row.value(at), row.value(at + 1)]
  if (notComputed === 'RECOMPUTING' || notComputed === 'NEVER_FILLED') return { notComputed }
  return Array.isArray(lacking) ? { lacking: lacking.map(String) } : null
}
