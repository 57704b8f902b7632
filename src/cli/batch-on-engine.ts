import { engineTargets } from '../gateway/engine-targets.ts'
import { givenEvents } from '../gateway/given-events.ts'
import { systemClock } from '../gateway/system-clock.ts'
import { computeByEngine } from '../ingest/snapshots/compute-by-engine.ts'
import { engineLine } from './batch-summary.ts'
import type { BatchWay } from './batch-way.ts'
import { type ComputeView, sayWaiting } from './compute-view.ts'
import { absolutePath } from './local-path.ts'
import { rowCounter } from './progress-bar.ts'
import { cancelSignal } from './stop-signal.ts'
import type { CommandWorld } from './with-stores.ts'

/** Snapshots on an engine, into the offline store; its steps on standard error. */
export function batchOnEngine(
  world: CommandWorld,
  { engine, events }: Extract<BatchWay, { kind: 'ENGINE' }>,
): ComputeView {
  const { config, stores, log } = world
  const engineWorld = { config, stores, log, clock: systemClock }
  const signal = cancelSignal('nothing of the snapshots under way was written')
  return async (view, scope, rows, what) => {
    const given = events === null ? null : await givenEvents(absolutePath(events), view, config.lake)
    const targets = engineTargets(engineWorld, engine, given)
    const counter = rowCounter(`taking ${view.name}`, 'keys')
    const computed = await computeByEngine(targets, view, scope, {
      ...{ ...rows, signal, onWait: sayWaiting(view), onProgress: counter.update },
      onStep: (step) => process.stderr.write(`${view.name}: ${step}\n`),
      onLog: (line) => log.debug(`${engine}: ${line}`),
    }).finally(counter.stop)
    return engineLine(view, computed, what, engine)
  }
}
