import type { Logger } from 'pino'
import type { Config } from '../config/config.ts'
import type { Clock } from '../definitions/timestamp.ts'
import { type DemoProgress, demoWorld } from '../demo/demo-world.ts'
import { noGuardHold } from '../ingest/refill/hold-guard.ts'
import type { StreamObserver } from '../ingest/stream-observer.ts'
import type { EventStream } from '../stores/event-stream.ts'
import type { BackgroundWork } from '../stores/process-registry.ts'
import type { AnnouncedProcess } from './announce-process.ts'
import { keptStores, type Restartable, restartable } from './restartable.ts'
import { type ApartWork, openGuard } from './run-guard.ts'
import { openStream } from './run-stream.ts'
import { runTrainingJobs, type TrainingJobApart } from './run-training-jobs.ts'
import { openWorker } from './run-worker.ts'
import type { ServedWorld } from './served-world.ts'

export interface WorkParts {
  readonly config: Config
  readonly announced: AnnouncedProcess
  readonly apart: ApartWork | null
  readonly apartTrainingJob: TrainingJobApart | null
  /** Where the demo sends its transactions; null: into the gateway's own log. */
  readonly demoStream: Pick<EventStream, 'publish'> | null
  readonly observe: StreamObserver
  readonly clock: Clock
  readonly log: Logger
}

/** The background work of a gateway, each part by itself; a new version of the registry has those that run begin again. */
export interface GatewayWork {
  readonly startGuard: (world: ServedWorld) => void
  /** Writes what is missing of the demo's history, and applies it to the streaming views; then goes on. */
  readonly startDemo: (world: ServedWorld, progress?: DemoProgress) => Promise<void>
  /** Training sets; the project's worker and stream, where the settings have this process run them. */
  readonly startOthers: (world: ServedWorld) => void
  readonly restart: (world: ServedWorld) => void
  /** What is under way is waited for. */
  readonly stop: () => Promise<void>
}

export function gatewayWork(parts: WorkParts): GatewayWork {
  const { config, announced, apart, apartTrainingJob, demoStream, observe, clock, log } = parts
  const { stores } = announced
  const running = new Set<Restartable<ServedWorld>>()
  const hold = noGuardHold()
  const worldOf = ({ registry, layouts }: ServedWorld) => ({
    ...{ config, registry, layouts, stores, observe, clock, log },
  })
  const demoOf = (world: ServedWorld) =>
    demoWorld({ ...worldOf(world), project: config.project, stream: demoStream })

  const guard = part("the holder of the online store's guard", null, (world, signal) =>
    openGuard({ ...worldOf(world), stores: keptStores(stores, guard.isRestarting) }, { signal, apart, hold }),
  )
  const demo = part('the demo', null, async (world, signal) => await demoOf(world)?.goOn(signal))
  const worker = part('the worker', 'worker', (world, signal) =>
    openWorker(
      { ...worldOf(world), stores: keptStores(stores, worker.isRestarting) },
      { once: false, signal },
    ),
  )
  const stream = part('the stream', 'stream', (world, signal) =>
    openStream(
      { ...worldOf(world), stores: keptStores(stores, stream.isRestarting) },
      { once: false, signal },
    ),
  )

  // Not begun again by a new version of the registry: a job goes on with the one of its creation.
  const trainingSets = part('the queue of training sets', null, (_world, signal) =>
    runTrainingJobs({ config, stores, apart: apartTrainingJob, clock, log }, signal),
  )

  function part(
    name: string,
    work: BackgroundWork | null,
    run: (world: ServedWorld, signal: AbortSignal) => Promise<unknown>,
  ): Restartable<ServedWorld> {
    return restartable<ServedWorld>({
      run,
      onStart: () => (work === null ? undefined : announced.goesOn(work)),
      onEnd(error, { isLast }) {
        if (error !== null) log.error({ err: error }, `${name} has ended`)
        if (isLast && work !== null) announced.ended(work)
      },
    })
  }

  function start(one: Restartable<ServedWorld>, world: ServedWorld): void {
    running.add(one)
    one.start(world)
  }

  return {
    startGuard: (world) => start(guard, world),
    async startDemo(world, progress) {
      await demoOf(world)?.bringUpToNow(progress)
      // The streaming views answer of the history as soon as anyone can ask.
      await openStream(worldOf(world), { once: true, signal: new AbortController().signal })
      start(demo, world)
    },
    startOthers(world) {
      trainingSets.start(world)
      if (!config.worker) return
      start(worker, world)
      start(stream, world)
    },
    restart(world) {
      for (const one of running) one.start(world)
    },
    async stop() {
      // The guard's holder last: the others write what it has checked.
      for (const one of [trainingSets, stream, worker, demo, guard]) await one.stop()
      // A registry without use for a lock leaves it as it was.
      await Promise.all([stores.workerLock.release(), stores.streamLock.release()])
    },
  }
}
