import { type ComputeBatch, computeSnapshots } from '../ingest/snapshots/compute-snapshots.ts'
import type { EngineWorld } from './engine-targets.ts'

/** A worker ends with the end of its run, whatever computes it. */
const uninterrupted = new AbortController().signal

/** Batch snapshots on the engine of the settings, which is loaded with the first. */
export function batchOnSetting(world: EngineWorld): ComputeBatch {
  const { config, stores, clock, log } = world
  const name = config.batchEngine
  if (name === 'postgres')
    return (view, scope, options) => computeSnapshots({ ...stores, clock }, view, scope, options)
  return async (view, scope, options) => {
    const [{ engineTargets }, { computeByEngine }] = await Promise.all([
      import('./engine-targets.ts'),
      import('../ingest/snapshots/compute-by-engine.ts'),
    ])
    return await computeByEngine(engineTargets(world, name, null), view, scope, {
      ...{ ...options, signal: uninterrupted },
      onStep: (step) => log.info(`${view.name}: ${step}`),
      onLog: (line) => log.debug(`${name}: ${line}`),
    })
  }
}
