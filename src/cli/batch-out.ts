import { readConfig, readEnvironment } from '../config/read-config.ts'
import type { Micros } from '../definitions/timestamp.ts'
import { BadUserInput } from '../errors.ts'
import { engineTargets } from '../gateway/engine-targets.ts'
import { givenEvents } from '../gateway/given-events.ts'
import { openEngine } from '../gateway/open-engine.ts'
import { systemClock } from '../gateway/system-clock.ts'
import { type EngineEvents, eventsFolder, firstEventOf } from '../ingest/snapshots/engine-events.ts'
import { loadRegistry } from '../registry/load.ts'
import type { BatchView, Registry } from '../registry/registry.ts'
import type { JobEngine } from '../stores/job-engine.ts'
import { snapshotsSql } from '../stores/window-sql/snapshots-sql.ts'
import { type BatchQuestion, scopeOf } from './batch-question.ts'
import { shown } from './batch-summary.ts'
import { type BatchWay, batchViewsOf, singleView } from './batch-way.ts'
import { commandLog } from './command-log.ts'
import { absolutePath } from './local-path.ts'
import { cancelSignal } from './stop-signal.ts'
import { withStores } from './with-stores.ts'

type OutWay = Extract<BatchWay, { kind: 'ENGINE' }> & { readonly out: string }

/**
 * `--out`: snapshots on an engine, as a folder of Parquet and nowhere else. With `--events` no database is opened, and the
 * definitions are those of the files.
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
    const onLog = (line: string): void => log.debug(`${name}: ${line}`)
    const found = await givenEvents(absolutePath(events), view, config.lake)
    return await computeOut(view, question, way, { engine: openEngine(name, config), events: found, onLog })
  }
  await withStores('UNUSED', async (world) => {
    const view = viewOf(world.registry)
    const targets = engineTargets({ ...world, clock: systemClock }, name, null)
    const onLog = (line: string): void => world.log.debug(`${name}: ${line}`)
    await computeOut(view, question, way, { ...targets, onLog })
  })
}

async function computeOut(
  view: BatchView,
  question: BatchQuestion,
  { engine: name, out }: OutWay,
  {
    engine,
    events,
    onLog,
  }: {
    readonly engine: JobEngine
    readonly events: EngineEvents
    readonly onLog: (line: string) => void
  },
): Promise<void> {
  const scope = scopeOf(view, question, systemClock())
  const times = scope.kind === 'TIMES' ? scope.times : []
  const signal = cancelSignal(`${out} has no _SUCCESS, and the same command begins it again`)
  const onStep = (step: string): void => {
    process.stderr.write(`${view.name}: ${step}\n`)
  }
  // Keys close at the first of them too, as if the one before it had been computed.
  const before = (times[0] ?? 0) - view.everyMicros
  const previous = lacks(events, view, before) ? null : before
  const found = await eventsFolder(events, view, previous === null ? times : [previous, ...times], onStep)
  if (found === null) throw new BadUserInput(`no event of source "${view.events.name}" is stored`)
  const output = absolutePath(out)
  onStep(`computing ${shown(times)} on ${name}`)
  const { folder, form } = found
  const sql = snapshotsSql(view, { times, previous, events: folder, form, output }, name)
  const { rows } = await engine.run(
    { name: `featuregraph batch ${view.name}`, sql, inputs: [folder], output },
    { signal, onLog },
  )
  process.stdout.write(
    `${view.name}: ${shown(times)} on ${name}, ${rows === null ? '' : `${rows} rows `}in ${out}\n`,
  )
}

function lacks(events: EngineEvents, view: BatchView, time: Micros): boolean {
  return events.kind === 'FOLDER' && events.from !== null && events.from > firstEventOf(view, [time])
}
