import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { StreamObserver } from '../ingest/stream-observer.ts'
import type { OnlineGuard } from '../online/guard.ts'
import type { OnlineFills } from '../online/online-fills.ts'
import type { Registry } from '../registry/registry.ts'
import type { OnlineStore } from '../stores/online-store.ts'

export interface WatchWorld {
  readonly guard: OnlineGuard
  readonly fills: OnlineFills
  readonly online: Pick<OnlineStore, 'readMany'>
  readonly registry: Registry
  readonly observe: Pick<StreamObserver, 'caughtUp'>
  readonly log: Logger
}

/** What is recorded offline is read so often; a guard that is not believed yet, and one that is, are read so often. */
const recordEveryMs = 500
const guardEveryMs = { doubted: 50, believed: 500 }
const pollMs = 50

/**
 * Keeps a reader's guard as it is, also while nobody asks. While a store is away, what was known of it last counts.
 * Returns how to stop: what is under way is waited for.
 */
export function watchGuard({
  guard,
  fills,
  online,
  registry,
  observe,
  log,
}: WatchWorld): () => Promise<void> {
  const stopping = new AbortController()
  const { signal } = stopping
  const pause = (ms: number): Promise<unknown> => sleep(ms, undefined, { signal, ref: false }).catch(() => {})

  async function readRecords(): Promise<void> {
    while (!signal.aborted) {
      await pause(recordEveryMs)
      try {
        await fills.refresh(guard.refresh)
        for (const view of registry.views) {
          const watermark = view.kind === 'STREAM' ? guard.watermark(view) : null
          if (view.kind === 'STREAM' && watermark !== null) observe.caughtUp(view, watermark)
        }
      } catch (error) {
        log.warn({ err: error }, 'what the online store holds could not be read')
      }
    }
  }

  async function readGuards(): Promise<void> {
    while (!signal.aborted) {
      // Reads of callers report a store that fails.
      const isBelieved = await readGuard(guard, online)
      await pause(isBelieved ? guardEveryMs.believed : guardEveryMs.doubted)
    }
  }

  const watching = Promise.all([readRecords(), readGuards()])
  return async () => {
    stopping.abort()
    await watching
  }
}

/** False: the store does not answer, or nothing of it may be believed now. */
async function readGuard(guard: OnlineGuard, online: Pick<OnlineStore, 'readMany'>): Promise<boolean> {
  const read = await online.readMany([]).catch(() => null)
  return read !== null && typeof guard.epochOf(read) === 'number'
}

/** What a start waits for: the store to be checked, then also its rows to be there. */
export type Readable = 'GUARD' | 'ROWS' | 'ROWS_AND_TILES'

/**
 * Resolves when online reads are answered, at the latest after `atMostMs`; at once where the store does not answer. A gateway
 * that starts answers its first callers then, and large views are filled while it runs.
 */
export async function untilReadable(
  { guard, online }: Pick<WatchWorld, 'guard' | 'online'>,
  what: Readable,
  atMostMs: number,
): Promise<void> {
  const started = performance.now()
  while (performance.now() - started < atMostMs) {
    const read = await online.readMany([]).catch(() => null)
    if (read === null) return
    const epoch = guard.epochOf(read)
    await guard.refresh().catch(() => {})
    if (typeof epoch === 'number' && (what === 'GUARD' || isFilled(guard, what))) return
    await sleep(pollMs)
  }
}

function isFilled(guard: OnlineGuard, what: Readable): boolean {
  for (const [view, lacking] of guard.report().views) {
    if (lacking !== null && (view.kind !== 'STREAM' || what === 'ROWS_AND_TILES')) return false
  }
  return true
}
