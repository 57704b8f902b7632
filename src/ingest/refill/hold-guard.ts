import { StoreFailed } from '../../errors.ts'
import type { FeatureView, StoredView } from '../../registry/registry.ts'
import { guardText, parseGuard } from '../../stores/online-value/guard-text.ts'
import {
  type CheckOptions,
  type CheckTargets,
  checkOnlineStore,
  type ProvenGuard,
} from './check-online-store.ts'
import { failureLog } from './failure-log.ts'
import { type KeepFilledOptions, type KeepFilledTargets, keepFilled } from './keep-filled.ts'

export type GuardTargets = CheckTargets & KeepFilledTargets

/** What a process knows of the guard that it holds. */
export interface GuardHold {
  isHeld: boolean
  /** The guard as this process left it; null: the store is to be checked. */
  proven: ProvenGuard | null
  /** Since the lease was taken. */
  wasProven: boolean
  lastTick: number
}

export function noGuardHold(): GuardHold {
  return { isHeld: false, proven: null, wasProven: false, lastTick: 0 }
}

export interface GuardOptions extends KeepFilledOptions, Pick<CheckOptions, 'followTiles'> {
  /** Resolves early when the signal aborts. */
  readonly pause: (ms: number) => Promise<unknown>
  /** Of the run before this one, where a process goes on with other views and kept its lease: nothing is checked again then. */
  readonly hold?: GuardHold
}

/** The guard moves so often; a read over a new connection is believed after one move. */
const tickMs = 250
const leaseMs = 1_500
/** After its connection broke, a store has lost what it has lost; a new holder does not know that of a whole one. */
const tilesMs = { reconnected: 2_000, taken: 10_000 }

/**
 * Keeps the project's online store readable, with all processes that do so: one of them holds the lease, checks the store
 * (`check-online-store.ts`), moves its guard on and fills views that are not whole; the others stand by, and fill views that
 * only their definitions have. Resolves when the signal aborts; a store that fails is tried again.
 */
export async function holdGuard(
  targets: GuardTargets,
  views: readonly FeatureView[],
  options: GuardOptions,
): Promise<void> {
  const { online, guardLease } = targets
  const { signal, pause, log } = options
  const state = options.hold ?? noGuardHold()
  let hasEnded = false
  const stored = views.filter((view): view is StoredView => view.kind !== 'STREAM')
  const filling = keepFilled(targets, views, options)
  const failures = failureLog(log)

  async function keepLease(): Promise<void> {
    while (!signal.aborted && !hasEnded) {
      try {
        const lease = await guardLease.hold(state.lastTick)
        if (lease !== null && !state.isHeld) state.wasProven = false
        state.isHeld = lease !== null
        if (lease !== null) state.lastTick = Math.max(state.lastTick, lease.tick)
        failures.over('lease')
      } catch (error) {
        // Nobody else gets it either while the database is away; the guard moves only from where this process put it.
        failures.report('lease', "the lease of the online store's guard cannot be renewed", error)
      }
      await pause(leaseMs)
    }
  }

  /** As this process left it, over the same connection: nothing was lost. */
  async function moveOn({ guard, connection }: ProvenGuard): Promise<ProvenGuard | null> {
    if (!online.losesTail) {
      const found = parseGuard(await online.readMarker(online.guardName))
      return found?.epoch === guard.epoch ? { guard, connection } : null
    }
    if (online.writeConnection() !== connection) return null
    const next = { epoch: guard.epoch, tick: guard.tick + 1 }
    const moved = await online.moveMarker(online.guardName, guardText(guard), guardText(next))
    return moved && online.writeConnection() === connection ? { guard: next, connection } : null
  }

  async function beat(): Promise<void> {
    const moved = state.proven === null ? null : await moveOn(state.proven)
    state.proven =
      moved ??
      (await checkOnlineStore(targets, stored, {
        ...options,
        lastTick: state.lastTick,
        tilesMs: state.wasProven ? tilesMs.reconnected : tilesMs.taken,
      }))
    if (state.proven === null) return
    state.wasProven = true
    state.lastTick = Math.max(state.lastTick, state.proven.guard.tick)
  }

  const leasing = keepLease()
  try {
    while (!signal.aborted) {
      try {
        if (state.isHeld) await beat()
        else state.proven = null
        failures.over('guard')
      } catch (error) {
        if (!(error instanceof StoreFailed)) throw error
        state.proven = null
        failures.report('guard', 'the online store cannot be checked', error)
      }
      if (!state.isHeld) filling.check('LATE', null)
      else if (state.proven !== null) filling.check('AT_ONCE', state.proven.guard.epoch)
      await pause(online.losesTail || state.proven === null ? tickMs : 2 * tickMs)
    }
  } finally {
    // Also after what it cannot go on from: the lease is for another process then.
    hasEnded = true
    await leasing
    await filling.end()
    await guardLease.release().catch(() => {})
  }
}
