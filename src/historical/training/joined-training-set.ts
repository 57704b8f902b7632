import { planService } from '../../online/service-row.ts'
import type { FeatureView, VectorEntry } from '../../registry/registry.ts'
import type { FileJoin, FileJoins, JoinedEntry, JoinedRead, JoinedSpine } from '../../stores/file-join.ts'
import type { ViewFiles, ViewInFiles } from '../../stores/view-files.ts'
import { planSpine, type SpinePlan } from '../spine/spine-plan.ts'
import { type AnswerPlan, planAnswers } from './answer-columns.ts'
import { madeColumns } from './made-columns.ts'
import type { MadeTrainingSet, TrainingRequest, TrainingSources } from './make-training-set.ts'

export interface JoinedSources extends Pick<TrainingSources, 'snapshots'> {
  readonly viewFiles: ViewFiles<FeatureView>
  readonly joins: FileJoins
}

/** What is known of a training set before any row is read. @throws BadUserInput for a spine that cannot be used. */
export interface SetPlan {
  readonly answers: AnswerPlan
  readonly spinePlan: SpinePlan
}

export function planSet(
  request: Pick<TrainingRequest, 'service' | 'spine' | 'vector' | 'statuses'>,
): SetPlan {
  const { service, spine } = request
  const plan = planService(service)
  const names = madeColumns(plan, request).map(({ name }) => name)
  return { answers: planAnswers(plan), spinePlan: planSpine(spine.opened, service, names, spine) }
}

/** The spine as an engine takes it, from a Parquet file. */
export function joinedSpine(
  { spine, rows }: Pick<TrainingRequest, 'spine' | 'rows'>,
  { columns, time, read }: SpinePlan,
): JoinedSpine {
  const taken = read.flatMap(({ column, type, isKey, name }) =>
    column === null ? [] : [{ column, type, isKey, name }],
  )
  return {
    ...{ path: spine.opened.parquet ?? spine.path, rows, columns, time, timezone: spine.timezone },
    keys: taken.flatMap(({ column, type, isKey }) => (isKey && isKeyType(type) ? [{ column, type }] : [])),
    requests: taken.filter(({ isKey }) => !isKey).map(({ column, type }) => ({ column, type })),
  }
}

type KeyType = JoinedSpine['keys'][number]['type']
const keyTypes: ReadonlySet<string> = new Set<KeyType>(['int32', 'int64', 'string', 'uuid'])

function isKeyType(type: string): type is KeyType {
  return keyTypes.has(type)
}

/**
 * What `makeTrainingSet` makes, out of files alone and by an engine: rows do not pass this process. What stands in Postgres is
 * exported first, as of the snapshot. @throws what `makeTrainingSet` throws; FilesChanged; EngineFailed.
 */
export async function makeJoinedTrainingSet(
  { snapshots, viewFiles, joins }: JoinedSources,
  request: TrainingRequest,
  { answers, spinePlan }: SetPlan,
): Promise<MadeTrainingSet> {
  const { visibleIn, files, knownAt, vector, statuses, out, format, onProgress, signal } = request
  const snapshot = await snapshots.open({ connections: 1, visibleIn, files })
  const { takenAt, visible, systemIdentifier } = snapshot
  try {
    const views = [...new Set(answers.reads.map(({ read }) => read.view))]
    const found = new Map<string, ViewInFiles>()
    for (const view of views) found.set(view.id, await viewFiles.filesOf(view, { visible, files, signal }))
    const join: FileJoin = {
      ...{ knownAt, vector, statuses, takenAt, out, format },
      spine: joinedSpine(request, spinePlan),
      reads: joinedReads(answers, found),
      entries: answers.plan.entries.map(({ entry, place }) =>
        joinedEntry(entry, place, answers, request, spinePlan),
      ),
    }
    const made = await joins.make(join, { onProgress, signal })
    return {
      ...made,
      ...{ takenAt, visible, systemIdentifier },
      files: [...found.values()].map((one) => one.files),
    }
  } finally {
    await snapshot.close()
  }
}

/** In the order of the answers' reads; `found` by the views' ids. */
export function joinedReads(
  { reads }: AnswerPlan,
  found: ReadonlyMap<string, ViewInFiles>,
): readonly JoinedRead[] {
  return reads.map((read) => joinedRead(read, found.get(read.read.view.id)))
}

function joinedRead(
  { read, features }: AnswerPlan['reads'][number],
  found: ViewInFiles | undefined,
): JoinedRead {
  const { view, keyPlaces } = read
  if (!found) throw new TypeError(`no files were found for ${view.name}`)
  const own = {
    ...{ files: found.files, notKnown: found.notKnown },
    keys: view.entity.joinKeys.map(({ name, type }, index) => ({ name, type, place: keyPlaces[index] ?? 0 })),
    features: features.map((feature) => ({
      ...{ name: feature.name, type: feature.type },
      emptyValue: view.emptyValues[view.features.indexOf(feature)] ?? null,
    })),
  }
  if (view.kind === 'STREAM')
    return { kind: 'WINDOWS', view: view.name, ...own, events: view.events, aggregations: view.aggregations }
  if (found.source === null) throw new TypeError(`the files of ${view.name} hold no rows`)
  const inFiles = { ...view, kind: 'PLAIN' as const, source: found.source, features }
  return { kind: 'ROWS', ...own, view: inFiles, ttlMicros: view.ttlMicros }
}

function joinedEntry(
  entry: VectorEntry,
  place: number,
  { reads }: AnswerPlan,
  { service }: Pick<TrainingRequest, 'service'>,
  { read }: SpinePlan,
): JoinedEntry {
  const own = { name: entry.name, type: entry.type, default: entry.default }
  if (entry.kind === 'on-demand') throw new TypeError(`${entry.name} is computed in this process`)
  if (entry.kind === 'request') {
    const name = service.requests[place]?.name
    const column = read.find((one) => !one.isKey && one.name === name)?.column ?? null
    return { kind: 'request', ...own, column }
  }
  const feature = reads[place]?.features.indexOf(entry.feature) ?? -1
  return { kind: 'feature', ...own, read: place, feature, allowed: entry.feature.expectation }
}
