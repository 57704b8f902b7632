import type { Micros } from '../../definitions/timestamp.ts'
import type { BatchView } from '../../registry/registry.ts'
import type { EventForm } from '../../stores/event-files.ts'
import type { JobEngine } from '../../stores/job-engine.ts'
import type { RunStore } from '../../stores/run-store.ts'
import type { OpenedSnapshots, SnapshotFiles } from '../../stores/snapshot-files.ts'
import type { SnapshotStore } from '../../stores/snapshot-store.ts'
import { snapshotsSql } from '../../stores/window-sql/snapshots-sql.ts'
import { type BatchComputed, batchRun } from './compute-snapshots.ts'
import { type EngineEvents, eventsFolder, firstEventOf } from './engine-events.ts'
import { type BatchScope, type PlannedRun, planRun } from './plan-run.ts'
import { columnsOf, type IntakeTargets, type TakeOptions, takeOpened } from './take-snapshots.ts'

/** Where an engine's results stand until they are taken. */
interface ResultFolders {
  /** A folder that is not there yet, once those that earlier runs of the view have left are gone. */
  readonly fresh: (view: BatchView) => Promise<string>
  readonly remove: (folder: string) => Promise<void>
}

export interface EngineTargets extends IntakeTargets {
  readonly snapshots: Pick<SnapshotStore, 'recorded' | 'storedSince' | 'arrivals' | 'take'>
  readonly runs: Pick<RunStore, 'withRun'>
  readonly files: SnapshotFiles
  readonly engine: JobEngine
  readonly events: EngineEvents
  readonly results: ResultFolders
}

export interface EngineOptions extends TakeOptions {
  /** What is done now, for the one who waits. */
  readonly onStep: (step: string) => void
  /** What the engine logs, line by line. */
  readonly onLog: (line: string) => void
}

export interface ComputedByEngine extends Omit<BatchComputed, 'events'> {
  /** Rows that the engine computed. */
  readonly read: number
  readonly deleted: number
}

/**
 * `computeSnapshots` on another engine: the stored events go to files, one script computes all snapshots of the run, and its
 * rows are taken as those of files are. Nothing is written before the engine has finished; a run that was killed is done by
 * running it again. @throws as `computeSnapshots`; EngineFailed; the signal's reason.
 */
export async function computeByEngine(
  targets: EngineTargets,
  view: BatchView,
  scope: BatchScope,
  options: EngineOptions,
): Promise<ComputedByEngine> {
  const { runs, clock } = targets
  return await runs.withRun(batchRun(view, scope), { now: clock, onWait: options.onWait }, async () => {
    const planned = await planRun(historyOf(targets), view, scope)
    const result = await compute(targets, view, planned, options)
    const { read, written } = result
    return { result, outcome: { state: 'SUCCEEDED', rowsRead: read, rowsWritten: written, error: null } }
  })
}

/** Events of a folder do not go with the stored ones' retention. */
function historyOf({ snapshots, events }: EngineTargets): Pick<SnapshotStore, 'recorded' | 'storedSince'> {
  return events.kind === 'STORED' ? snapshots : { ...snapshots, storedSince: async () => null }
}

async function compute(
  targets: EngineTargets,
  view: BatchView,
  { times, expired, recorded }: PlannedRun,
  options: EngineOptions,
): Promise<ComputedByEngine> {
  if (times.length === 0) return { times, expired, read: 0, deleted: 0, written: 0 }
  const { events, results, snapshots } = targets
  // What is stored from here on makes the snapshots stale, also if it is exported.
  const eventsReadAt = events.kind === 'STORED' ? await snapshots.arrivals() : events.readAt
  const found = await eventsFolder(events, view, times, options.onStep)
  options.signal.throwIfAborted()
  const output = await results.fresh(view)
  try {
    const opened = found === null ? noRows : await computed(targets, view, { times, found, output }, options)
    try {
      const intake = {
        ...{ folder: output, opened, times, recorded },
        ...(eventsReadAt === null ? {} : { eventsReadAt }),
        // Events of a mapped table, or of a folder, do not go with a retention.
        ...(events.kind === 'STORED' && view.events.table === null
          ? { eventsSince: firstEventOf(view, times) }
          : {}),
      }
      const { read, deleted, written } = await takeOpened(targets, view, intake, options)
      return { times, expired, read, deleted, written }
    } finally {
      await opened.close()
    }
  } finally {
    await results.remove(output)
  }
}

const noRows: OpenedSnapshots = { times: [], read: async function* () {}, close: async () => {} }

interface EngineRun {
  readonly times: readonly Micros[]
  readonly found: { readonly folder: string; readonly form: EventForm }
  readonly output: string
}

async function computed(
  { engine, files }: EngineTargets,
  view: BatchView,
  { times, found, output }: EngineRun,
  options: EngineOptions,
): Promise<OpenedSnapshots> {
  options.onStep(
    `computing ${times.length} ${times.length === 1 ? 'snapshot' : 'snapshots'} on ${engine.name}`,
  )
  const { folder: events, form } = found
  const sql = snapshotsSql(view, { times, previous: null, events, form, output }, engine.name)
  await engine.run({ name: `featuregraph batch ${view.name}`, sql, inputs: [events], output }, options)
  return await files.open(output, columnsOf(view))
}
