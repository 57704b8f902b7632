import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Clock } from './definitions/timestamp.ts'
import { followEvents } from './ingest/follow-events.ts'
import type { RowLayouts } from './online/row-layouts.ts'
import type { Stores } from './open-stores.ts'
import type { Registry } from './registry/registry.ts'

interface FollowerWorld {
  readonly registry: Registry
  readonly stores: Stores
  readonly layouts: RowLayouts
  readonly clock: Clock
  readonly log: Logger
}

/** Keeps the project's streamed views level with their events, on these stores and this machine's timers. */
export function openFollower(
  { registry, stores, layouts, clock, log }: FollowerWorld,
  { once, signal }: { readonly once: boolean; readonly signal: AbortSignal },
): Promise<void> {
  return followEvents({ ...stores, ...layouts, clock }, registry.views, {
    once,
    signal,
    pause: (ms) => sleep(ms, undefined, { signal }).catch(() => {}),
    log: {
      info: (line) => log.info(line),
      warn: (line, error) => log.warn({ err: error }, line),
    },
  })
}
