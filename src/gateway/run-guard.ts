import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Clock } from '../definitions/timestamp.ts'
import { type GuardHold, holdGuard } from '../ingest/refill/hold-guard.ts'
import { type FollowOptions, followEvents } from '../ingest/tiles/follow-events.ts'
import type { RowLayouts } from '../online/row-layouts.ts'
import type { Registry, StoredView } from '../registry/registry.ts'
import type { Stores } from './open-stores.ts'

export interface GuardWorld {
  readonly registry: Registry
  readonly stores: Stores
  readonly layouts: RowLayouts
  readonly clock: Clock
  readonly log: Logger
}

/** Work that would hold up a gateway, in processes of their own: the commands `materialize` and `stream --once`. */
export interface ApartWork {
  /** Rejects where the command fails. */
  readonly materialize: (view: StoredView, signal: AbortSignal) => Promise<void>
  readonly followTiles: (signal: AbortSignal) => Promise<void>
}

export interface OpenGuardOptions {
  readonly signal: AbortSignal
  /** Null: all work is done in this process. */
  readonly apart: ApartWork | null
  /** As in `GuardOptions`. */
  readonly hold?: GuardHold
}

/** Keeps the online store readable, beside what the process is for (`ingest/refill/hold-guard.ts`), until the signal aborts. */
export function openGuard(world: GuardWorld, { signal, apart, hold }: OpenGuardOptions): Promise<void> {
  const { registry, stores, layouts, clock, log } = world
  const pause = (ms: number): Promise<unknown> => sleep(ms, undefined, { signal }).catch(() => {})
  return holdGuard(
    { ...stores, ...layouts, clock },
    registry.views.filter((view) => view.online),
    {
      signal,
      pause,
      sleep,
      newMarker: randomUUID,
      ...(hold ? { hold } : {}),
      materializeApart: apart === null ? null : (view) => apart.materialize(view, signal),
      async followTiles() {
        const isFree = await stores.catchUpLock.hold()
        // A connection that is left open would keep the process from ending; the command takes the lock itself.
        if (!isFree || apart !== null) await stores.catchUpLock.release()
        if (isFree) await (apart?.followTiles(signal) ?? followHere(world, { signal, pause }))
      },
      log: {
        info: (line) => log.info(line),
        warn: (line, error) => log.warn(error === null ? {} : { err: error }, line),
      },
    },
  )
}

async function followHere(
  { registry, stores, layouts, clock, log }: GuardWorld,
  run: Pick<FollowOptions, 'signal' | 'pause'>,
): Promise<void> {
  const targets = { ...stores, ...layouts, clock, streamLock: stores.catchUpLock }
  await followEvents(targets, registry.views, {
    ...run,
    once: true,
    observe: { applied: () => {}, caughtUp: () => {} },
    log: { info: (line) => log.info(line), warn: (line, error) => log.warn({ err: error }, line) },
  })
}
