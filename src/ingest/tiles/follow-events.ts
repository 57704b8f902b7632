import { StoreFailed } from '../../errors.ts'
import type { FeatureView } from '../../registry/registry.ts'
import type { LeaderLock } from '../../stores/leader-lock.ts'
import type { RunLog } from '../run-log.ts'
import type { StreamObserver } from '../stream-observer.ts'
import { followedSources } from './followed-sources.ts'
import { type LeadTargets, tileLeader } from './tile-leader.ts'

export interface FollowTargets extends LeadTargets {
  /** One process of a project applies events at a time. */
  readonly streamLock: LeaderLock
}

export interface FollowOptions {
  /** Ends when nothing is left to apply, or when another process has the lock; a failure is thrown. */
  readonly once: boolean
  readonly signal: AbortSignal
  /** Resolves early when the signal aborts. */
  readonly pause: (ms: number) => Promise<unknown>
  readonly observe: Pick<StreamObserver, 'applied' | 'caughtUp'>
  readonly log: RunLog
}

const idleMs = 100
const standByMs = 3_000
const lockBeatMs = 3_000
const failedMs = 1_000

/**
 * Keeps the tiles of all streaming views caught up with the stored events, while this process holds the project's lock; without
 * it stands by. A view whose windows have no tiles yet gets a generation, and one that is being built goes live as soon as
 * it is caught up. A store that fails is tried again; nothing is lost, since what counts are the stored events and the markers.
 */
export async function followEvents(
  targets: FollowTargets,
  views: readonly FeatureView[],
  { once, signal, pause, observe, log }: FollowOptions,
): Promise<void> {
  const sources = followedSources(views)
  if (sources.size === 0) {
    // The caller that runs it waits for its end, which is a failure or the signal.
    while (!once && !signal.aborted) await pause(standByMs)
    return
  }
  const leader = tileLeader(targets, sources, { observe, log })
  let leads = false
  let askedAt = Number.NEGATIVE_INFINITY
  try {
    while (!signal.aborted) {
      try {
        const now = targets.clock() / 1_000
        // Either way: a clock that was set back must not stop it.
        if (!leads || Math.abs(now - askedAt) > lockBeatMs) {
          const led = leads
          leads = await targets.streamLock.hold()
          askedAt = now
          if (leads && !led) {
            log.info('this process applies events to the streaming feature views')
            leader.begin()
          }
        }
        if (!leads) {
          if (once) return
          await pause(standByMs)
          continue
        }
        const caughtUp = await leader.round()
        if (caughtUp && once) return
        if (caughtUp) await pause(idleMs)
      } catch (error) {
        if (once || !(error instanceof StoreFailed)) throw error
        log.warn(`events could not be applied: ${error.message}`, error)
        // The lock may be gone; what is in memory is as right as before.
        askedAt = Number.NEGATIVE_INFINITY
        await pause(failedMs)
      }
    }
  } finally {
    await targets.streamLock.release()
  }
}
