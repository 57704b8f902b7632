import { foundRowStatus, statusCode } from '../../definitions/row-status.ts'
import type { ComputeThread } from '../../on-demand/open-compute-thread.ts'
import { type KeyedReads, readsByKey, type ServicePlan, type ServiceRead } from '../../online/service-row.ts'
import type { Feature, FeatureView, RequestValue } from '../../registry/registry.ts'
import type { AsOfColumns, AsOfSnapshot } from '../../stores/as-of-snapshot.ts'
import type { EntityRows } from '../../stores/entity-rows.ts'
import type { TableEstimate } from '../../stores/table-estimate.ts'
import { ValueColumn } from '../../stores/value-column.ts'
import { type AskedRows, type ChosenWay, chooseWay } from '../plan/choose-way.ts'
import type { SpineRows } from '../spine/read-spine.ts'
import { computeColumns } from './compute-columns.ts'
import type { KnownAt } from './known-at.ts'
import { type SortedRows, sortedRows } from './sorted-rows.ts'

/** What an entry of the service's vector answers, an entry a spine row. */
export interface AnsweredColumn {
  readonly values: ValueColumn
  /** Places in `featureStatuses`. */
  readonly statuses: Uint8Array
}

const [present, notFound, unavailable, nullValue] = [
  statusCode('PRESENT'),
  statusCode('NOT_FOUND'),
  statusCode('UNAVAILABLE'),
  statusCode('NULL_VALUE'),
]

/** A read of a service with those of its features that are asked for. */
interface PlannedRead {
  readonly read: ServiceRead
  readonly features: readonly Feature[]
}

export interface AnswerPlan {
  readonly plan: ServicePlan
  /** In the order of the plan's reads. */
  readonly reads: readonly PlannedRead[]
}

export function planAnswers(plan: ServicePlan): AnswerPlan {
  const reads = plan.reads.map((read, place) => {
    const picked = plan.entries.flatMap((planned) =>
      planned.entry.kind === 'feature' && planned.place === place ? [planned.entry.feature] : [],
    )
    const given = plan.computations.flatMap(({ inputs }) =>
      inputs.flatMap((input) => (input.kind === 'feature' && input.place === place ? [input.feature] : [])),
    )
    return { read, features: readFeatures(read.view, [...picked, ...given]) }
  })
  return { plan, reads }
}

/** Of a streaming view all: whether there is a row at all depends on its longest window. */
function readFeatures({ kind, features }: FeatureView, wanted: readonly Feature[]): readonly Feature[] {
  return kind === 'STREAM' ? features : features.filter((feature) => wanted.includes(feature))
}

/** One as-of join of some of a spine's rows: the views of one entity, whatever its roles. */
export interface PlannedJoin extends SortedRows {
  readonly groups: readonly KeyedReads[]
  readonly views: readonly FeatureView[]
  /** Of each view. */
  readonly ways: readonly ChosenWay[]
}

/** The joins that some of a spine's rows are answered by, one per entity; `estimates` by the views' ids. */
export function planJoins(
  spine: SpineRows,
  { plan, reads }: AnswerPlan,
  {
    knownAt,
    estimates,
  }: { readonly knownAt: KnownAt; readonly estimates: ReadonlyMap<string, TableEstimate> },
): readonly PlannedJoin[] {
  const keyed = readsByKey(plan)
  return [...new Set(keyed.map(({ entity }) => entity))].map((entity) => {
    const groups = keyed.filter((group) => group.entity === entity)
    const sorted = sortedRows(
      spine,
      groups.map(({ keyPlaces }) => keyPlaces),
      knownAt,
    )
    const own = reads.filter(({ read }) => read.view.entity === entity)
    const views = [...new Set(own.map(({ read }) => read.view))].map((view) => narrowed(view, own))
    const asked = askedRows(sorted.rows, knownAt)
    const ways = views.flatMap((view) => {
      const table = estimates.get(view.id)
      return table ? [chooseWay(view, asked, table)] : []
    })
    return { ...sorted, groups, views, ways }
  })
}

function askedRows({ length, keys, asOf }: EntityRows, knownAt: KnownAt): AskedRows {
  let [distinct, earliest, latest] = [0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (let row = 0; row < length; row += 1) {
    if (row === 0 || keys.some((column) => column[row] !== column[row - 1])) distinct += 1
    earliest = Math.min(earliest, asOf[row] ?? earliest)
    latest = Math.max(latest, asOf[row] ?? latest)
  }
  return {
    ...{ rows: length, keys: distinct },
    spanMicros: Math.max(0, latest - earliest),
    isKnownAtOnce: knownAt.kind !== 'ROW',
  }
}

export interface AnswerSources {
  readonly snapshot: Pick<AsOfSnapshot, 'asOfColumns'>
  /** Of on-demand views. */
  readonly compute: ComputeThread['compute']
}

/**
 * Per entry of the vector what a service answers for each row of the spine at the row's own time, by the rules of
 * `ViewReader.readOffline` and `servedValue`, column by column. A row without a join key or a time is NOT_FOUND.
 */
export async function answerColumns(
  spine: SpineRows,
  { plan }: AnswerPlan,
  joins: readonly PlannedJoin[],
  { snapshot, compute }: AnswerSources,
): Promise<readonly AnsweredColumn[]> {
  const answered = new Map<ServiceRead, ReadAnswer>()
  await Promise.all(
    joins.map(async ({ groups, views, ways, rows, placeOf }) => {
      const columns = await snapshot.asOfColumns({ views, ways: ways.map(({ way }) => way), rows })
      groups.forEach((group, index) => {
        const places = placeOf[index] ?? new Int32Array(0)
        for (const read of group.reads) {
          const at = views.findIndex(({ id }) => id === read.view.id)
          const [view, found] = [views[at], columns[at]]
          if (view && found) answered.set(read, readAnswer(read.view, view.features, found, places, spine))
        }
      })
    }),
  )
  const featureColumn = (feature: Feature, place: number): AnsweredColumn => {
    const read = plan.reads[place]
    const answer = read && answered.get(read)
    if (!answer) throw new TypeError(`feature ${feature.name} was not read for the service`)
    return answer(feature)
  }
  const computed = await computeColumns(spine, plan, { featureColumn, compute })
  return plan.entries.map(({ entry, place }) => {
    if (entry.kind === 'request') return requestColumn(spine, entry, place)
    if (entry.kind === 'feature') return featureColumn(entry.feature, place)
    const column = computed[place]?.[entry.view.features.indexOf(entry.feature)]
    if (!column) throw new TypeError(`on-demand view ${entry.view.name} was not computed for the service`)
    return column
  })
}

/** The view with the features that any of its reads asks for: others are not read. */
function narrowed(view: FeatureView, reads: readonly PlannedRead[]): FeatureView {
  const wanted = reads.filter(({ read }) => read.view === view).flatMap(({ features }) => features)
  return view.kind === 'STREAM'
    ? view
    : { ...view, features: view.features.filter((feature) => wanted.includes(feature)) }
}

type ReadAnswer = (feature: Feature) => AnsweredColumn

function readAnswer(
  view: FeatureView,
  read: readonly Feature[],
  { eventTimestamps, columns, exceptions }: AsOfColumns,
  places: Int32Array,
  { rows, times }: SpineRows,
): ReadAnswer {
  // What is computed at the very moment never grows too old by itself.
  const ttlMicros = view.kind === 'STREAM' ? null : view.ttlMicros
  const rowStatuses = new Uint8Array(rows).fill(notFound)
  for (let row = 0; row < rows; row += 1) {
    const place = places[row] ?? -1
    if (place < 0) continue
    const event = eventTimestamps[place] ?? Number.NaN
    const exception = exceptions.size === 0 ? undefined : exceptions.get(place)
    if (exception && !('lacking' in exception)) rowStatuses[row] = unavailable
    else if (!Number.isNaN(event))
      rowStatuses[row] = statusCode(foundRowStatus(event, times[row] ?? 0, ttlMicros, null))
  }
  return (feature) => {
    const column = columns[read.indexOf(feature)]
    const empty = view.emptyValues[view.features.indexOf(feature)] ?? null
    const values = new ValueColumn(feature.type, rows)
    const statuses = rowStatuses.slice()
    const [from, to] = [column?.numbers ?? null, values.numbers]
    if (from !== null && to !== null && exceptions.size === 0 && empty === null) {
      pickNumbers(from, to, places, statuses)
      return { values, statuses }
    }
    for (let row = 0; row < rows; row += 1) {
      const place = places[row] ?? -1
      if (place < 0) continue
      const status = statuses[row]
      const exception = exceptions.get(place)
      if (exception && 'lacking' in exception && exception.lacking.includes(feature.id)) {
        statuses[row] = unavailable
        continue
      }
      if (status === notFound) {
        if (empty !== null) values.set(row, empty)
        continue
      }
      if (status !== present) continue
      const value = column?.at(place) ?? null
      if (value === null) statuses[row] = nullValue
      else values.set(row, value)
    }
    return { values, statuses }
  }
}

/** What the loop over any values does, of numbers. */
function pickNumbers(from: Float64Array, to: Float64Array, places: Int32Array, statuses: Uint8Array): void {
  for (let row = 0; row < to.length; row += 1) {
    if (statuses[row] !== present) continue
    const number = from[places[row] ?? 0] ?? Number.NaN
    if (Number.isNaN(number)) statuses[row] = nullValue
    else to[row] = number
  }
}

function requestColumn({ rows, requests }: SpineRows, { type }: RequestValue, place: number): AnsweredColumn {
  const statuses = new Uint8Array(rows).fill(nullValue)
  const given = requests[place]
  if (!given) return { values: new ValueColumn(type, rows), statuses }
  for (let row = 0; row < rows; row += 1) if (!given.isNull(row)) statuses[row] = present
  return { values: given, statuses }
}
