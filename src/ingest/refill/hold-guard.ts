import { messageOf, StoreFailed } from '../../errors.ts'
import type { FeatureView, StoredView, StreamView } from '../../registry/registry.ts'
import type { OnlineLeftovers } from '../../stores/online-leftovers.ts'
import { guardText, parseGuard } from '../../stores/online-value/guard-text.ts'
import type { TombstoneLog } from '../../stores/tombstone-log.ts'
import type { RunLog } from '../run-log.ts'
import { generationsOf, type TilePlaces } from '../tiles/tile-generation.ts'
import {
  type CheckOptions,
  type CheckTargets,
  checkOnlineStore,
  type ProvenGuard,
} from './check-online-store.ts'
import { type FillOptions, type FillTargets, fillView, unfilledViews } from './fill-views.ts'

export interface GuardTargets extends CheckTargets, FillTargets, Pick<TilePlaces, 'tiledView'> {
  readonly tombstones: TombstoneLog
  readonly leftovers: OnlineLeftovers
}

interface HolderState {
  isHeld: boolean
  /** The guard as this process left it; null: the store is to be checked. */
  proven: ProvenGuard | null
  /** Since the lease was taken. */
  wasProven: boolean
  lastTick: number
  hasEnded: boolean
}

export interface GuardOptions extends FillOptions, Pick<CheckOptions, 'followTiles'> {
  readonly signal: AbortSignal
  /** Resolves early when the signal aborts. */
  readonly pause: (ms: number) => Promise<unknown>
}

/** The guard moves so often; a read over a new connection is believed after one move. */
const tickMs = 250
const leaseMs = 1_500
/** A view that the holder does not fill, since it has other definitions, is filled by the others after this. */
const othersAfterMs = 3_000
const sweepMs = 60_000
/** What is whole is checked so often. */
const wholeMs = 1_000
const failedFillMs = 5_000
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
  const state: HolderState = { isHeld: false, proven: null, wasProven: false, lastTick: 0, hasEnded: false }
  const stored = views.filter((view): view is StoredView => view.kind !== 'STREAM')
  const filling = filler(targets, views, options)
  const failures = failureLog(log)

  async function keepLease(): Promise<void> {
    while (!signal.aborted && !state.hasEnded) {
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
    state.hasEnded = true
    await leasing
    await filling.end()
    await guardLease.release().catch(() => {})
  }
}

/** What is to be filled now: all that is not whole, or only what others have left. */
type FillWhen = 'AT_ONCE' | 'LATE'

interface Filler {
  /** Begins to fill, beside what the caller goes on doing; nothing while that is under way. `epoch`: the store's, where it is known. */
  readonly check: (when: FillWhen, epoch: number | null) => void
  readonly end: () => Promise<void>
}

function filler(targets: GuardTargets, views: readonly FeatureView[], options: GuardOptions): Filler {
  const { signal, log } = options
  const lackingSince = new Map<StoredView, number>()
  const failedAt = new Map<StoredView, number>()
  const failures = failureLog(log)
  let sweptAt = performance.now()
  let checkAt = Number.NEGATIVE_INFINITY
  let checkedEpoch: number | null = null
  let running: Promise<void> | null = null
  let tilesSince: number | null = null
  const streamed = views.filter((view): view is StreamView => view.kind === 'STREAM')
  const stored = views.filter((view): view is StoredView => view.kind !== 'STREAM')

  async function fill(view: StoredView): Promise<void> {
    try {
      await fillView(targets, view, options)
      failures.over(view.name)
    } catch (error) {
      if (signal.aborted) return
      failedAt.set(view, performance.now())
      failures.report(view.name, `${view.name}: the online store could not be filled; trying again`, error)
    }
  }

  async function run(when: FillWhen): Promise<void> {
    const lacking = await unfilledViews(targets, stored)
    const now = performance.now()
    checkAt = now + (lacking.length === 0 ? wholeMs : tickMs)
    for (const view of lackingSince.keys()) if (!lacking.includes(view)) lackingSince.delete(view)
    for (const view of lacking) {
      const since = lackingSince.get(view) ?? now
      lackingSince.set(view, since)
      if (signal.aborted || (when === 'LATE' && now - since < othersAfterMs)) continue
      if (now - (failedAt.get(view) ?? Number.NEGATIVE_INFINITY) < failedFillMs) continue
      await fill(view)
    }
    await followTiles(await unfollowed(targets, streamed), now)
    if (when === 'LATE' || performance.now() - sweptAt < sweepMs) return
    sweptAt = performance.now()
    await sweep(targets)
  }

  /** For views whose tiles have no leader. */
  async function followTiles(lacking: readonly StreamView[], now: number): Promise<void> {
    if (lacking.length === 0) {
      tilesSince = null
      return
    }
    checkAt = now + tickMs
    tilesSince ??= now
    if (now - tilesSince < othersAfterMs || signal.aborted) return
    tilesSince = now
    await options.followTiles()
  }

  return {
    check(when, epoch) {
      if (running !== null || (epoch === checkedEpoch && performance.now() < checkAt)) return
      checkedEpoch = epoch
      running = run(when)
        .then(() => failures.over(''))
        .catch((error: unknown) => failures.report('', 'what the online store lacks cannot be read', error))
        .finally(() => {
          running = null
        })
    },
    async end() {
      await running
    },
  }
}

/** Those of them whose tiles are not caught up in the epoch that is recorded now. */
async function unfollowed(
  { guardRecord, generations, tiledView }: GuardTargets,
  views: readonly StreamView[],
): Promise<readonly StreamView[]> {
  if (views.length === 0) return []
  const { epoch } = await guardRecord.moment()
  const live = (await generations.list()).filter(
    ({ state, caughtUpEpoch }) => state === 'LIVE' && caughtUpEpoch === epoch,
  )
  return views.filter((view) => generationsOf({ tiledView }, view, live).length === 0)
}

/** Removes what is read and written no more. */
async function sweep({ online, leftovers, tombstones }: GuardTargets): Promise<void> {
  await tombstones.dropOld()
  for (const prefix of await leftovers.list()) {
    await online.removeRows(prefix)
    await leftovers.forget(prefix)
  }
}

/** One line for each kind of failure, until it is over. */
function failureLog(log: RunLog): {
  readonly report: (kind: string, line: string, error: unknown) => void
  readonly over: (kind: string) => void
} {
  const reported = new Set<string>()
  return {
    report(kind, line, error) {
      if (!reported.has(kind)) log.warn(`${line}: ${messageOf(error)}`, error)
      reported.add(kind)
    },
    over: (kind) => {
      reported.delete(kind)
    },
  }
}
