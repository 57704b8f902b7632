import { StoreFailed } from '../errors.ts'
import type { EventSource, FeatureView, StreamView } from '../registry/registry.ts'
import type { WorkerLock } from '../stores/worker-lock.ts'
import { type ApplyTargets, eventApplier } from './apply-events.ts'

export interface FollowTargets extends ApplyTargets {
  /** One process of a project applies events at a time. */
  readonly streamLock: WorkerLock
}

export interface FollowOptions {
  /** Ends when nothing is left to apply, or when another process has the lock; a failure is thrown. */
  readonly once: boolean
  readonly signal: AbortSignal
  /** Resolves early when the signal aborts. */
  readonly pause: (ms: number) => Promise<unknown>
  readonly log: {
    readonly info: (line: string) => void
    readonly warn: (line: string, error: unknown) => void
  }
}

const idleMs = 100
const standByMs = 3_000
const lockBeatMs = 3_000
const failedMs = 1_000
const maxEntries = 200_000
const eventsAtOnce = 5_000

/** The sources of streamed views that are online, each with its views. */
export function followedSources(
  views: readonly FeatureView[],
): ReadonlyMap<EventSource, readonly StreamView[]> {
  const followed = new Map<EventSource, StreamView[]>()
  for (const view of views) {
    if (view.kind !== 'STREAM' || !view.online) continue
    followed.set(view.events, [...(followed.get(view.events) ?? []), view])
  }
  return followed
}

/**
 * Keeps the tiles of all streamed views level with the kept events, while this process holds the project's lock; without
 * it stands by. A store that fails is tried again; nothing is lost, since what counts are the kept events and the markers.
 */
export async function followEvents(
  targets: FollowTargets,
  views: readonly FeatureView[],
  { once, signal, pause, log }: FollowOptions,
): Promise<void> {
  const appliers = [...followedSources(views)].map(([source, own]) =>
    eventApplier(targets, source, own, { maxEntries, eventsAtOnce }),
  )
  if (appliers.length === 0) {
    // Whoever runs it waits for its end, which is a failure or the signal.
    while (!once && !signal.aborted) await pause(standByMs)
    return
  }
  let leads = false
  let askedAt = Number.NEGATIVE_INFINITY
  try {
    while (!signal.aborted) {
      try {
        const now = targets.clock() / 1_000
        if (!leads || now - askedAt > lockBeatMs) {
          const led = leads
          leads = await targets.streamLock.hold()
          askedAt = now
          if (leads && !led) {
            log.info('this process applies events to the streamed views')
            for (const applier of appliers) applier.forget()
          }
        }
        if (!leads) {
          if (once) return
          await pause(standByMs)
          continue
        }
        let caughtUp = true
        for (const applier of appliers) caughtUp = (await applier.applyNext()).caughtUp && caughtUp
        if (caughtUp && once) return
        if (caughtUp) await pause(idleMs)
      } catch (error) {
        if (once || !(error instanceof StoreFailed)) throw error
        log.warn(`events could not be applied: ${error.message}`, error)
        for (const applier of appliers) applier.forget()
        leads = false
        await pause(failedMs)
      }
    }
  } finally {
    await targets.streamLock.release()
  }
}
