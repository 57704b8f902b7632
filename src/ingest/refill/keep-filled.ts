import type { FeatureView, StoredView, StreamView } from '../../registry/registry.ts'
import type { OnlineLeftovers } from '../../stores/online-leftovers.ts'
import type { TombstoneLog } from '../../stores/tombstone-log.ts'
import { generationsOf, type TilePlaces } from '../tiles/tile-generation.ts'
import type { CheckTargets } from './check-online-store.ts'
import { failureLog } from './failure-log.ts'
import { type FillOptions, type FillTargets, fillView, unfilledViews } from './fill-views.ts'

export interface KeepFilledTargets
  extends FillTargets,
    Pick<CheckTargets, 'generations'>,
    Pick<TilePlaces, 'tiledView'> {
  readonly tombstones: Pick<TombstoneLog, 'dropOld'>
  readonly leftovers: OnlineLeftovers
}

export interface KeepFilledOptions extends FillOptions {
  /** Catches tiles up that no process of the project follows; resolves at once where one does. */
  readonly followTiles: () => Promise<void>
  readonly signal: AbortSignal
}

/** What is to be filled now: all that is not whole, or only what the holder of the guard has left for this long. */
type FillWhen = 'AT_ONCE' | 'LATE'

/** A view that the holder does not fill, since it has other definitions, is filled by the others after this. */
const othersAfterMs = 3_000
const sweepMs = 60_000
/** What is whole is checked so often, what is not at every tick of the guard. */
const wholeMs = 1_000
const lackingMs = 250
const failedFillMs = 5_000

/** Fills what is not whole. */
export interface Filler {
  /** Begins to fill, beside what the caller goes on doing; nothing while that is under way. `epoch`: the store's, where it is known. */
  readonly check: (when: FillWhen, epoch: number | null) => void
  readonly end: () => Promise<void>
}

/**
 * Fills views whose rows are not all online, catches tiles up that no process follows, and removes what is read and written
 * no more; one thing after the other, beside what the caller does. What fails is logged once, and tried again.
 */
export function keepFilled(
  targets: KeepFilledTargets,
  views: readonly FeatureView[],
  options: KeepFilledOptions,
): Filler {
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
    checkAt = now + (lacking.length === 0 ? wholeMs : lackingMs)
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
    checkAt = now + lackingMs
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
  { guardRecord, generations, tiledView }: KeepFilledTargets,
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
async function sweep({ online, leftovers, tombstones }: KeepFilledTargets): Promise<void> {
  await tombstones.dropOld()
  for (const prefix of await leftovers.list()) {
    await online.removeRows(prefix)
    await leftovers.forget(prefix)
  }
}
