import type { Config } from '../config/config.ts'
import { readConfig, readEnvironment } from '../config/read-config.ts'
import type { Micros } from '../definitions/timestamp.ts'
import { BadUserInput } from '../errors.ts'
import { engineTargets } from '../gateway/engine-targets.ts'
import { givenEvents } from '../gateway/given-events.ts'
import { openEngine } from '../gateway/open-engine.ts'
import { folderTargets, holdsSnapshots, reachedFolder } from '../gateway/snapshot-folder.ts'
import { systemClock } from '../gateway/system-clock.ts'
import { successFile } from '../ingest/export/manifest.ts'
import { computeByEngine, type EngineTargets } from '../ingest/snapshots/compute-by-engine.ts'
import { type EngineEvents, eventsFolder, firstEventOf } from '../ingest/snapshots/engine-events.ts'
import { writeComputedTimes } from '../ingest/snapshots/folder-manifest.ts'
import { type BatchScope, planRun } from '../ingest/snapshots/plan-run.ts'
import { loadRegistry } from '../registry/load.ts'
import type { BatchView, Registry } from '../registry/registry.ts'
import type { ExportFolder } from '../stores/export-files.ts'
import type { JobEngine } from '../stores/job-engine.ts'
import { snapshotsSql } from '../stores/window-sql/snapshots-sql.ts'
import { type BatchQuestion, scopeOf } from './batch-question.ts'
import { engineLine, shown } from './batch-summary.ts'
import { type BatchWay, batchViewsOf, singleView } from './batch-way.ts'
import { commandLog } from './command-log.ts'
import { sayWaiting } from './compute-view.ts'
import { absolutePath } from './local-path.ts'
import { rowCounter } from './progress-bar.ts'
import { cancelSignal } from './stop-signal.ts'
import { withStores } from './with-stores.ts'

type OutWay = Extract<BatchWay, { kind: 'ENGINE' }> & { readonly out: string }

interface OutWorld {
  readonly config: Pick<Config, 'lake' | 'duckDbMemory'>
  readonly engine: JobEngine
  readonly events: EngineEvents
  readonly storedSince: EngineTargets['snapshots']['storedSince']
  readonly onLog: (line: string) => void
}

/**
 * `--out`: snapshots on an engine, into a folder of Parquet and nowhere else. Into a new one the engine writes all of its rows; one
 * that holds snapshots gets what they lack. With `--events` no database is opened, and the definitions are those of the files.
 */
export async function batchOut(
  names: readonly string[],
  question: BatchQuestion,
  way: OutWay,
): Promise<void> {
  const viewOf = (registry: Registry): BatchView => singleView(batchViewsOf(registry, names), '--out')
  const { engine: name, events } = way
  if (events !== null) {
    const config = readConfig(readEnvironment())
    const log = commandLog(config.logLevel)
    const view = viewOf(await loadRegistry(config.schemaFolder))
    const found = await givenEvents(absolutePath(events), view, config.lake)
    return await computeOut(view, question, way, {
      ...{ config, engine: openEngine(name, config), events: found, storedSince: async () => null },
      onLog: (line) => log.debug(`${name}: ${line}`),
    })
  }
  await withStores('UNUSED', async (world) => {
    const { engine, events: stored } = engineTargets({ ...world, clock: systemClock }, name, null)
    const { config, stores, log } = world
    await computeOut(viewOf(world.registry), question, way, {
      ...{ config, engine, events: stored, storedSince: stores.snapshots.storedSince },
      onLog: (line) => log.debug(`${name}: ${line}`),
    })
  })
}

async function computeOut(
  view: BatchView,
  question: BatchQuestion,
  { out }: OutWay,
  world: OutWorld,
): Promise<void> {
  const scope = scopeOf(view, question, systemClock())
  const folder = reachedFolder(absolutePath(out), world.config)
  const line =
    folder !== null && (await holdsSnapshots(folder))
      ? await addSnapshots(view, scope, question, { ...world, folder })
      : await writeSnapshots(view, scope, question, { ...world, folder, output: absolutePath(out) })
  process.stdout.write(`${line} in ${out}\n`)
}

/** Into a new folder, by the engine itself. */
async function writeSnapshots(
  view: BatchView,
  scope: BatchScope,
  { createdAfterMicros }: BatchQuestion,
  world: OutWorld & { readonly folder: ExportFolder | null; readonly output: string },
): Promise<string> {
  const { engine, events, storedSince, folder, output, onLog } = world
  const signal = cancelSignal(`${output} has no _SUCCESS, and the same command begins it again`)
  const onStep = (step: string): void => {
    process.stderr.write(`${view.name}: ${step}\n`)
  }
  const { times } = await planRun({ recorded: async () => [], storedSince }, view, scope)
  // Keys close at the first of them too, as if the one before it had been computed.
  const before = (times[0] ?? 0) - view.everyMicros
  const previous = lacks(events, view, before) ? null : before
  const found = await eventsFolder(events, view, previous === null ? times : [previous, ...times], onStep)
  if (found === null) return await writeNothing(view, times, world)
  onStep(`computing ${shown(times)} on ${engine.name}`)
  const known = { now: systemClock(), afterMicros: createdAfterMicros }
  const sql = snapshotsSql(
    view,
    { times, previous, events: found.folder, form: found.form, output, known },
    engine.name,
  )
  const { rows } = await engine.run(
    { name: `featuregraph batch ${view.name}`, sql, inputs: [found.folder], output },
    { signal, onLog },
  )
  if (folder !== null) await writeComputedTimes(folder, view, times)
  await folder?.close()
  return `${view.name}: ${shown(times)} on ${engine.name}${rows === null ? ',' : `, ${rows} rows`}`
}

/** Without an event no key has a row. */
async function writeNothing(
  view: BatchView,
  times: readonly Micros[],
  {
    engine,
    events,
    folder,
    output,
  }: Pick<OutWorld, 'engine' | 'events'> & { readonly folder: ExportFolder | null; readonly output: string },
): Promise<string> {
  if (events.kind === 'STORED' || folder === null)
    throw new BadUserInput(
      `no event of source "${view.events.name}" is ${events.kind === 'STORED' ? 'stored' : `in ${events.folder}`}`,
    )
  const [other] = await folder.list()
  if (other !== undefined)
    throw new BadUserInput(
      `${output} holds ${other}, which no run left; expected a folder that is empty or not there yet`,
    )
  await writeComputedTimes(folder, view, times)
  await folder.write(successFile, '')
  await folder.close()
  return `${view.name}: ${shown(times)} on ${engine.name}, 0 rows`
}

/** To those of the folder, by the comparison of snapshots that are stored. */
async function addSnapshots(
  view: BatchView,
  scope: BatchScope,
  { createdAfterMicros }: BatchQuestion,
  { config, folder, onLog, ...world }: OutWorld & { readonly folder: ExportFolder },
): Promise<string> {
  const targets = await folderTargets(folder, view, config, { ...world, violations: sayViolations(view) })
  const counter = rowCounter(`taking ${view.name}`, 'keys')
  try {
    const computed = await computeByEngine(targets, view, scope, {
      ...{ createdAfterMicros, onLog, onWait: sayWaiting(view), onProgress: counter.update },
      signal: cancelSignal('nothing of the snapshots under way was written'),
      onStep: (step) => process.stderr.write(`${view.name}: ${step}\n`),
    })
    return engineLine(view, computed, 'stale', world.engine.name)
  } finally {
    counter.stop()
    await targets.close()
  }
}

/** No database records them. */
function sayViolations(view: BatchView): EngineTargets['violations'] {
  return {
    async record(violations, quarantined) {
      const [first] = violations
      const kept = quarantined.length === 0 ? '' : `, ${quarantined.length} rows are kept out`
      if (first !== undefined)
        process.stderr.write(
          `${view.name}: ${violations.length} values outside of what is expected${kept}; first: ${first.feature ?? 'rows'}: ${first.message}\n`,
        )
    },
  }
}

function lacks(events: EngineEvents, view: BatchView, time: Micros): boolean {
  return events.kind === 'FOLDER' && events.from !== null && events.from > firstEventOf(view, [time])
}
