import { type FeatureStatus, featureStatus } from '../../definitions/row-status.ts'
import type { Micros } from '../../definitions/timestamp.ts'
import type { Value } from '../../definitions/value.ts'
import { isNumeric } from '../../definitions/value-type.ts'
import { BadUserInput } from '../../errors.ts'
import type { ComputeThread } from '../../on-demand/open-compute-thread.ts'
import type { RowLayouts } from '../../online/row-layouts.ts'
import {
  type PlannedEntry,
  planService,
  type ServicePlan,
  servedValue,
  vectorNumber,
} from '../../online/service-row.ts'
import { type ViewReader, viewReader } from '../../online/view-reader.ts'
import { brokenRules } from '../../quality/expectations.ts'
import type { FeatureService, FeatureView } from '../../registry/registry.ts'
import type { AsOfSnapshots } from '../../stores/as-of-snapshot.ts'
import type { OpenedFile } from '../../stores/file-reader.ts'
import type { ColumnSummary, MadeColumn, TrainingFiles, TrainingFormat } from '../../stores/training-file.ts'
import { readSpine, type SpineReading, type SpineRows, spineColumns } from '../spine/read-spine.ts'
import { planSpine, type SpineOptions } from '../spine/spine-plan.ts'
import { computeJoined } from './compute-joined.ts'
import { type JoinedRow, joinRows } from './join-rows.ts'
import type { KnownAt } from './known-at.ts'
import type { FeatureCounts, SpineCounts } from './training-card.ts'

export interface TrainingSources {
  readonly snapshots: AsOfSnapshots
  readonly trainingFiles: TrainingFiles
  readonly layouts: Pick<RowLayouts, 'layout' | 'history'>
  readonly computeOnDemand: ComputeThread['compute']
}

export interface TrainingRequest {
  readonly service: FeatureService
  readonly spine: SpineOptions & SpineReading & { readonly path: string; readonly opened: OpenedFile }
  readonly knownAt: KnownAt
  readonly out: string
  readonly format: TrainingFormat
  /** Also the service's vector, with defaults for nulls. */
  readonly vector: boolean
  /** Also a status per feature. */
  readonly statuses: boolean
  readonly onProgress: (done: number, rows: number) => void
}

export interface MadeTrainingSet {
  readonly takenAt: Micros
  readonly bytes: number
  readonly spine: SpineCounts
  readonly features: readonly FeatureCounts[]
  readonly summaries: readonly ColumnSummary[]
}

/** Rows of one join: enough to find neighbours in the index, few enough that memory stays small. */
const batchRows = 20_000
const connections = 2

/** Names of what is made, besides the features. */
const vectorColumn = 'vector'
const statusColumn = (feature: string): string => `${feature}__status`

/**
 * One output row per row of the spine, in order: its columns, then the features as of the row's own time, as an online answer
 * then would have had them. All rows are read on one snapshot of the offline store. Rows stream: memory does not grow with them.
 * @throws BadUserInput for a spine that cannot be used; StoreFailed. No file stands under the name of `out` then that was not
 * there before.
 */
export async function makeTrainingSet(
  { snapshots, trainingFiles, layouts, computeOnDemand }: TrainingSources,
  request: TrainingRequest,
): Promise<MadeTrainingSet> {
  const { service, spine, knownAt, out, format } = request
  const plan = planService(service)
  const columns = madeColumns(
    plan.entries.filter(({ entry }) => entry.kind !== 'request'),
    request,
  )
  checkColumns(service, columns, request)
  const spinePlan = planSpine(
    spine.opened,
    service,
    columns.map(({ name }) => name),
    spine,
  )
  const { form } = spine.opened
  const file = await trainingFiles.open({
    spine: { path: spine.path, form, columns: spineColumns(spinePlan, form) },
    ...{ columns, out, format },
  })
  try {
    const snapshot = await snapshots.open(connections)
    try {
      const readers = new Map(plan.reads.map(({ view }) => [view, offlineReader(view, layouts)]))
      const { asOfJoin } = snapshot
      const tally = tallyOf(service, snapshot.takenAt)
      const write = writerOf(plan, request, tally)
      const join = async (rows: SpineRows) =>
        await computeJoined(plan, await joinRows(rows, { plan, readers, knownAt, asOfJoin }), computeOnDemand)
      const underWay: { readonly rows: SpineRows; readonly joined: Promise<readonly JoinedRow[]> }[] = []
      const finishOne = async (): Promise<void> => {
        const first = underWay.shift()
        if (!first) return
        await file.append(write(first.rows, await first.joined))
        request.onProgress(first.rows.done, tally.spine().rows)
      }
      try {
        for await (const rows of readSpine(spine.opened, spinePlan, spine, batchRows)) {
          const joined = join(rows)
          // It is awaited later; a failure meanwhile is no unhandled one.
          joined.catch(() => {})
          underWay.push({ rows, joined })
          if (underWay.length > connections) await finishOne()
        }
        while (underWay.length > 0) await finishOne()
      } finally {
        await Promise.allSettled(underWay.map(({ joined }) => joined))
      }
      const summaries = await file.summarize()
      const { bytes } = await file.write()
      return { takenAt: snapshot.takenAt, bytes, spine: tally.spine(), features: tally.features(), summaries }
    } finally {
      await snapshot.close()
    }
  } finally {
    await file.close()
  }
}

/** @throws BadUserInput for a vector of what is no number, and for two columns of one name. */
function checkColumns(
  { vector }: FeatureService,
  columns: readonly MadeColumn[],
  { vector: isWanted }: Pick<TrainingRequest, 'vector'>,
): void {
  const others = isWanted ? vector.filter(({ type }) => !isNumeric(type)) : []
  if (others.length > 0) {
    const shown = others.map(({ name, type }) => `${name} (${type})`).join(', ')
    throw new BadUserInput(
      `a vector holds int, float and bool values, and would hold ${shown}; leave --vector or these features out`,
    )
  }
  const names = columns.map(({ name }) => name)
  const twice = names.filter((name, index) => names.indexOf(name) !== index)
  if (twice.length > 0)
    throw new BadUserInput(
      `two columns would be called ${twice.join(', ')}; --full-names calls features <view>__<feature>`,
    )
}

function offlineReader(
  view: FeatureView,
  { layout, history }: Pick<RowLayouts, 'layout' | 'history'>,
): ViewReader {
  return viewReader(view, layout(view), history)
}

function madeColumns(
  entries: readonly PlannedEntry[],
  { vector, statuses }: Pick<TrainingRequest, 'vector' | 'statuses'>,
): readonly MadeColumn[] {
  return [
    ...entries.map(({ entry }) => ({ name: entry.name, type: entry.type })),
    ...(statuses
      ? entries.map(({ entry }) => ({ name: statusColumn(entry.name), type: 'string' as const }))
      : []),
    ...(vector ? [{ name: vectorColumn, type: 'float64[]' as const }] : []),
  ]
}

type Tally = {
  readonly spine: () => SpineCounts
  readonly features: () => readonly FeatureCounts[]
  readonly countRow: (key: unknown, asOf: Micros | null) => void
  readonly countValue: (place: number, value: Value | null, status: FeatureStatus) => void
}

const noStatuses: Readonly<Record<FeatureStatus, number>> = {
  ...{ PRESENT: 0, NOT_FOUND: 0, OUTSIDE_TTL: 0, UNAVAILABLE: 0, NULL_VALUE: 0, FAILED: 0 },
}

function tallyOf(service: FeatureService, takenAt: Micros): Tally {
  const spine = { rows: 0, missingKeys: 0, missingTimes: 0, ahead: 0 }
  let [from, to]: [Micros | null, Micros | null] = [null, null]
  const features = service.vector.map(({ name, type }) => ({
    ...{ name, type, statuses: { ...noStatuses }, defaulted: 0, violated: 0 },
  }))
  return {
    spine: () => ({ ...spine, from, to }),
    features: () => features.filter((_, place) => service.vector[place]?.kind !== 'request'),
    countRow(key, asOf) {
      spine.rows += 1
      if (key === null) spine.missingKeys += 1
      if (asOf === null) spine.missingTimes += 1
      else {
        if (asOf > takenAt) spine.ahead += 1
        from = from === null ? asOf : Math.min(from, asOf)
        to = to === null ? asOf : Math.max(to, asOf)
      }
    },
    countValue(place, value, status) {
      const [own, entry] = [features[place], service.vector[place]]
      if (!own || !entry) return
      own.statuses[status] += 1
      if (value === null) own.defaulted += 1
      if (entry.kind === 'feature' && entry.feature.expectation !== null)
        if (brokenRules(entry.feature.expectation, entry.type, value).length > 0) own.violated += 1
    },
  }
}

/** Joined rows → the columns of the file; counts them on the way. */
function writerOf(
  { entries }: ServicePlan,
  { vector, statuses }: Pick<TrainingRequest, 'vector' | 'statuses'>,
  tally: Tally,
) {
  const isFeature = entries.map(({ entry }) => entry.kind !== 'request')
  return (rows: SpineRows, joined: readonly JoinedRow[]) => {
    const values = entries.map((): (Value | null)[] => [])
    const valueStatuses = entries.map((): string[] => [])
    const vectors: number[][] = []
    joined.forEach((inputs, index) => {
      tally.countRow(rows.keys[index] ?? null, rows.times[index] ?? null)
      const own: number[] = []
      entries.forEach((planned, place) => {
        const { value, status } =
          inputs === null ? absent(planned, rows.requests[index] ?? []) : servedValue(planned, inputs)
        tally.countValue(place, value, status)
        values[place]?.push(value)
        if (statuses) valueStatuses[place]?.push(status)
        if (vector) own.push(vectorNumber(planned.entry, value))
      })
      if (vector) vectors.push(own)
    })
    const ofFeatures = <Column>(columns: readonly Column[]): readonly Column[] =>
      columns.filter((_, place) => isFeature[place])
    const columns = [
      ...ofFeatures(values),
      ...(statuses ? ofFeatures(valueStatuses) : []),
      ...(vector ? [vectors] : []),
    ]
    return { rows: rows.rows, spine: rows.columns, columns }
  }
}

/** Of a row that names no entity, or no time. */
function absent(
  { entry, place }: PlannedEntry,
  requests: readonly (Value | null)[],
): { readonly value: Value | null; readonly status: FeatureStatus } {
  if (entry.kind !== 'request') return { value: null, status: 'NOT_FOUND' }
  const value = requests[place] ?? null
  return { value, status: featureStatus('PRESENT', value === null) }
}
