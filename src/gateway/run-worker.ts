import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Config } from '../config/config.ts'
import { formatDuration } from '../definitions/duration.ts'
import type { Clock } from '../definitions/timestamp.ts'
import { describeTasks, tasksOf } from '../ingest/worker/due-runs.ts'
import { describeExpiry, expires } from '../ingest/worker/expire-events.ts'
import { runWorker, type WorkerEnd } from '../ingest/worker/run-worker.ts'
import type { RowLayouts } from '../online/row-layouts.ts'
import type { Registry } from '../registry/registry.ts'
import { batchOnSetting } from './batch-on-setting.ts'
import type { Stores } from './open-stores.ts'

interface WorkerWorld {
  readonly config: Config
  readonly registry: Registry
  readonly stores: Stores
  readonly layouts: RowLayouts
  readonly clock: Clock
  readonly log: Logger
}

/** The project's worker on these stores and this machine's timers; its first line says what it runs and when. */
export function openWorker(
  { config, registry, stores, layouts, clock, log }: WorkerWorld,
  { once, signal }: { readonly once: boolean; readonly signal: AbortSignal },
): Promise<WorkerEnd> {
  const { recomputeMicros } = config
  const tasks = [
    ...registry.views.filter((view) => tasksOf(view).length > 0).map(describeTasks),
    ...registry.eventSources.filter(expires).map(describeExpiry),
  ]
  const stale = registry.views.some(({ kind }) => kind === 'BATCH')
    ? `; stale snapshots of the last ${formatDuration(recomputeMicros)} are recomputed`
    : ''
  log.info(`the worker of project "${config.project}" runs ${tasks.join('; ') || 'nothing'}${stale}`)
  const computeBatch = batchOnSetting({ config, stores, clock, log })
  return runWorker({ ...stores, ...layouts, clock, computeBatch }, registry, {
    recomputeMicros,
    once,
    signal,
    pause: (ms) => sleep(ms, undefined, { signal }).catch(() => {}),
    sleep,
    newMarker: randomUUID,
    log: {
      info: (line) => log.info(line),
      warn: (line, error) => log.warn({ err: error }, line),
    },
  })
}
