import { announceProcess } from '../gateway/announce-process.ts'
import { reportDefinitions } from '../gateway/report-definitions.ts'
import { openWorker } from '../gateway/run-worker.ts'
import { systemClock } from '../gateway/system-clock.ts'
import { argumentDuration } from './argument-duration.ts'
import { guardBeside } from './guard-beside.ts'
import { stopSignal } from './stop-signal.ts'
import { withStores } from './with-stores.ts'

interface WorkerArguments {
  readonly recompute?: string
  readonly once?: boolean
}

/** `featuregraph worker`: until SIGTERM or SIGINT, then to the end of the run under way; a second signal ends it at once. */
export async function work({ recompute, once = false }: WorkerArguments): Promise<void> {
  const asked = argumentDuration('--recompute', recompute)
  const stopping = stopSignal('the run under way')
  await withStores('WRITTEN', async ({ config, registry, stores, layouts, log, makeTables }) => {
    await makeTables()
    for (const line of await reportDefinitions(stores, registry, systemClock)) log.info(line)
    const announced = await announceProcess(stores, {
      kind: 'worker',
      runs: once ? [] : ['worker'],
      registry,
      log,
    })
    const world = {
      config: { project: config.project, recomputeMicros: asked ?? config.recomputeMicros },
      ...{ registry, stores: announced.stores, layouts, log },
      clock: systemClock,
    }
    const { signal } = stopping
    const run = () => openWorker(world, { once, signal })
    const { failures } = await (once ? run() : guardBeside(world, { signal, apart: null }, run)).finally(
      announced.leave,
    )
    if (once && failures > 0) process.exitCode = 1
  })
}
