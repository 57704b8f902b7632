import { rm } from 'node:fs/promises'
import path from 'node:path'
import { formatTimestamp, type Micros } from '../../definitions/timestamp.ts'
import { HistoryExpired } from '../../errors.ts'
import { planService } from '../../online/service-row.ts'
import type { FeatureService, StreamView } from '../../registry/registry.ts'
import type { FileStore } from '../../stores/file-reader.ts'
import type { LaterChanges } from '../../stores/later-changes.ts'
import type { ReadFiles } from '../../stores/read-files.ts'
import { reachOf } from '../../windows/reach-of.ts'
import type { AskedEngine } from '../plan/choose-engine.ts'
import { type EngineMade, type EngineSources, makeByEngine } from './make-by-engine.ts'
import type { MadeTrainingSet, TrainingRequest } from './make-training-set.ts'
import { type TrainingWorld, trainingCard } from './training-card.ts'
import type { TrainingOptions } from './training-options.ts'

export interface CardedSources extends EngineSources {
  readonly files: FileStore
  readonly changes: LaterChanges
  readonly world: TrainingWorld
}

export interface CardedRequest extends Pick<TrainingRequest, 'out' | 'limit' | 'onProgress' | 'signal'> {
  /** Of `options.selection`, see `selectedFeatures`. */
  readonly service: FeatureService
  readonly options: TrainingOptions
  /** A path. */
  readonly spine: string
  /** The statement whose rows stand there; null: it is a file of its own. */
  readonly spineSql?: string | null
  /** The snapshot of an earlier one, which is made again; null: of all that is there now. */
  readonly again: {
    readonly visible: string
    readonly files: readonly ReadFiles[]
    readonly takenAt: Micros
    readonly name: string
  } | null
  /** The engine that is asked for, and whether another in its place is refused; see `EngineRequest`. */
  readonly engine: AskedEngine
  readonly isBinding?: boolean
}

export interface CardedTrainingSet {
  readonly made: EngineMade
  /** Of the file, in hex. */
  readonly sha256: string
  /** To be written beside it. */
  readonly card: string
}

/** A training set of a whole spine, and its card. @throws what `makeTrainingSet` throws. */
export async function makeCardedTrainingSet(
  { files, changes, world, ...sources }: CardedSources,
  {
    service,
    options,
    spine,
    spineSql = null,
    again,
    out,
    limit,
    onProgress,
    signal,
    ...asked
  }: CardedRequest,
): Promise<CardedTrainingSet> {
  // Before the snapshot: what is dropped in between is then no change behind the card's back.
  const storedSince = await changes.storedSince(streamViews(service).map(({ events }) => events.name))
  const opened = await files.open(spine, options.spineFormat)
  try {
    const { map, time, timezone, timeUnit, knownAt, vector, statuses, format } = options
    const { takenAt, ...rest } = await makeByEngine(sources, {
      ...{ service, ...asked, knownAt, vector, statuses, format, out, limit, onProgress, signal },
      spine: { path: spine, opened, map, time, timezone, timeUnit },
      ...{ rows: null, visibleIn: again?.visible ?? null, files: again?.files ?? [] },
    })
    const made = { ...rest, takenAt: again?.takenAt ?? takenAt }
    await refuseDropped(service, made, storedSince, changes).catch(async (error: unknown) => {
      await rm(out, { force: true })
      throw error
    })
    const sha256 = await files.digest(out)
    const card = trainingCard({
      ...{ world, options, service, storedSince },
      database: await changes.identity(),
      ...{ visible: made.visible, takenAt: made.takenAt, engine: made.engine, files: made.files },
      spine: {
        ...{ file: spineSql === null ? path.basename(spine) : null, sql: spineSql },
        ...{ sha256: await files.digest(spine), counts: made.spine },
      },
      output: { file: again?.name ?? path.basename(out), sha256, bytes: made.bytes },
      ...{ features: made.features, summaries: made.summaries },
    })
    return { made, sha256, card }
  } finally {
    await opened.close()
  }
}

/**
 * Retention that moved meanwhile may have dropped events before they were read, in a transaction that does not see that it did.
 * @throws HistoryExpired
 */
export async function refuseDropped(
  service: FeatureService,
  { spine: { from } }: Pick<MadeTrainingSet, 'spine'>,
  before: ReadonlyMap<string, Micros>,
  changes: LaterChanges,
): Promise<void> {
  const views = streamViews(service)
  const after = await changes.storedSince(views.map(({ events }) => events.name))
  for (const view of views) {
    const since = after.get(view.events.name)
    if (since === undefined || since === before.get(view.events.name) || from === null) continue
    if (from - reachOf(view) < since)
      throw new HistoryExpired(
        `events of "${view.events.name}" from before ${formatTimestamp(since)} were dropped while the training set was made; make it again`,
      )
  }
}

/** The streaming views that a training set reads stored events for, once each. */
export function streamViews(service: FeatureService): readonly StreamView[] {
  const views = planService(service).reads.flatMap(({ view }) => (view.kind === 'STREAM' ? [view] : []))
  return [...new Set(views)]
}
