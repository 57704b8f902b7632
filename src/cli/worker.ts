import { openWorker } from '../gateway/run-worker.ts'
import { systemClock } from '../gateway/system-clock.ts'
import { argumentDuration } from './argument-duration.ts'
import { followRegistry } from './follow-registry.ts'
import { stopSignal } from './stop-signal.ts'
import { type CommandWorld, withStores } from './with-stores.ts'

interface WorkerArguments {
  readonly recompute?: string
  readonly once?: boolean
}

/** `featuregraph worker`: until SIGTERM or SIGINT, then to the end of the run under way; a second signal ends it at once. */
export async function work({ recompute, once = false }: WorkerArguments): Promise<void> {
  const asked = argumentDuration('--recompute', recompute)
  const { signal } = stopSignal('the run under way')
  // Started beside a first gateway it waits for what that applies.
  const whenEmpty = once ? undefined : ({ kind: 'WAIT', signal } as const)
  const run = async (world: CommandWorld): Promise<void> => {
    const { config, log } = world
    await world.checkTables()
    const recomputeMicros = asked ?? config.recomputeMicros
    const options = { kind: 'worker', once, signal, apart: null } as const
    const { failures } = await followRegistry(world, options, (work, until) =>
      openWorker(
        { config: { ...config, recomputeMicros }, ...work, log, clock: systemClock },
        { once, signal: until },
      ),
    )
    if (once && failures > 0) process.exitCode = 1
  }
  await withStores('WRITTEN', run, whenEmpty)
}
