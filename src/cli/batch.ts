import { readConfig, readEnvironment } from '../config/read-config.ts'
import type { Micros } from '../definitions/timestamp.ts'
import type { EntityKey } from '../definitions/value.ts'
import type { Stores } from '../gateway/open-stores.ts'
import { systemClock } from '../gateway/system-clock.ts'
import { computeSnapshots } from '../ingest/snapshots/compute-snapshots.ts'
import type { BatchScope } from '../ingest/snapshots/plan-run.ts'
import type { RowOptions } from '../ingest/snapshots/snapshot-block.ts'
import { takeSnapshots } from '../ingest/snapshots/take-snapshots.ts'
import type { BatchView } from '../registry/registry.ts'
import { argumentKey } from './argument-key.ts'
import {
  type BatchArguments,
  type BatchQuestion,
  readQuestion,
  scopeOf,
  takenTimes,
} from './batch-question.ts'
import { computedLine, takenLine } from './batch-summary.ts'
import { type BatchWay, batchViewsOf, readWay, singleView } from './batch-way.ts'
import { type ComputeView, sayWaiting } from './compute-view.ts'
import { rowCounter } from './progress-bar.ts'
import { cancelSignal } from './stop-signal.ts'
import { type CommandWorld, withStores } from './with-stores.ts'

/** `featuregraph batch [views…]`: one view after the other; a final line for each on standard output. */
export async function batchViews(names: readonly string[], options: BatchArguments): Promise<void> {
  const question = readQuestion(options)
  const way = readWay(options, readConfig(readEnvironment()).batchEngine)
  if (way.kind === 'ENGINE' && way.out !== null) {
    const { batchOut } = await import('./batch-out.ts')
    return await batchOut(names, question, { ...way, out: way.out })
  }
  await withStores('UNUSED', async (world) => {
    const views = batchViewsOf(world.registry, names)
    if (way.kind === 'ENGINE' && way.events !== null) singleView(views, '--events')
    if (way.kind === 'FILES') {
      const line = await takeFiles(world, singleView(views, '--from-files'), way.folder, question)
      process.stdout.write(`${line}\n`)
      return
    }
    const now = systemClock()
    const asked = views.map((view) => ({
      ...{ view, scope: scopeOf(view, question, now), rows: rowOptions(view, question) },
    }))
    await world.checkTables()
    const compute = await computing(world, way)
    for (const { view, scope, rows } of asked) {
      const { replacePushed } = rows
      const isAny = replacePushed !== undefined && !question.isTimed
      const times = isAny ? await overriddenTimes(world.stores, view, replacePushed.key) : scope
      const line = await compute(view, times, rows, replacePushed ? 'overridden' : 'stale')
      process.stdout.write(`${line}\n`)
    }
  })
}

async function computing(
  world: CommandWorld,
  way: Exclude<BatchWay, { kind: 'FILES' }>,
): Promise<ComputeView> {
  if (way.kind === 'ENGINE') return (await import('./batch-on-engine.ts')).batchOnEngine(world, way)
  const { stores } = world
  return async (view, scope, rows, what) => {
    const counter = rowCounter(`computing ${view.name}`, 'keys')
    const computed = await computeSnapshots({ ...stores, clock: systemClock }, view, scope, {
      ...{ ...rows, onWait: sayWaiting(view), onProgress: counter.update },
    }).finally(counter.stop)
    return computedLine(view, computed, what)
  }
}

async function takeFiles(
  { stores, checkTables }: CommandWorld,
  view: BatchView,
  folder: string,
  question: BatchQuestion,
): Promise<string> {
  const asked = takenTimes(view, question, systemClock())
  const rows = rowOptions(view, question)
  await checkTables()
  const counter = rowCounter(`taking ${view.name}`, 'keys')
  const targets = { ...stores, files: stores.snapshotFiles, clock: systemClock }
  const taken = await takeSnapshots(
    targets,
    view,
    { folder, asked },
    {
      ...{ ...rows, onWait: sayWaiting(view), onProgress: counter.update },
      signal: cancelSignal('nothing of the snapshots under way was written'),
    },
  ).finally(counter.stop)
  return takenLine(view, folder, taken)
}

function rowOptions(view: BatchView, { replacePushed, key, createdAfterMicros }: BatchQuestion): RowOptions {
  if (!replacePushed) return { createdAfterMicros }
  return {
    createdAfterMicros,
    replacePushed: { key: key === null ? null : argumentKey(view.entity, key) },
  }
}

async function overriddenTimes(
  { snapshots }: Pick<Stores, 'snapshots'>,
  view: BatchView,
  key: EntityKey | null,
): Promise<BatchScope> {
  const overrides = await snapshots.overrides(view, key)
  const times: readonly Micros[] = overrides.map(({ eventTimestamp }) => eventTimestamp)
  return { kind: 'TIMES', times }
}
