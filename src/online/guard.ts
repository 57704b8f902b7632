import type { Micros } from '../definitions/timestamp.ts'
import type { UnavailableReason } from '../definitions/unavailable-reason.ts'
import type { FeatureView, StreamView } from '../registry/registry.ts'
import type { GuardRecord, RecordedGuard } from '../stores/guard-record.ts'
import type { GuardReading } from '../stores/online-store.ts'
import { type GuardBelief, guardBelief } from './guard-belief.ts'
import type { LiveTiles } from './live-tiles.ts'
import type { RowLayouts } from './row-layouts.ts'

/** Under which keys a view is read. */
export interface OnlinePlace {
  readonly prefix: string
  /** In which epochs all of its rows are known to stand there. What was known once stays known. */
  readonly epochs: ReadonlySet<number>
}

/** What operators are shown. */
export interface GuardReport {
  /** Why no online read is answered; null: reads are. */
  readonly refused: UnavailableReason | null
  readonly views: ReadonlyMap<FeatureView, UnavailableReason | null>
}

/**
 * What a reader may believe of the online store, which may lose everything at once, or the tail of its commands. Each read
 * carries the guard (`stores/online-value/guard-text.ts`), which one process moves on after it has checked the store:
 *
 * - A read counts for the epoch that its guard names. Without a guard the store was emptied.
 * - Over a new connection nothing is believed until the guard has moved on once more than it stood there first: the store
 *   may have been set back before. The same where it moved back on a connection that lasts.
 * - A view is answered where the offline database records that all of its rows stand in that epoch.
 */
export interface OnlineGuard {
  /** Where the view's rows are, by the last refresh; else why they are not. */
  readonly placeOf: (view: FeatureView) => OnlinePlace | UnavailableReason
  /** The epoch that the read counts for; else why it counts for none. To be called for every read, in the order of answers. */
  readonly epochOf: (reading: GuardReading) => number | UnavailableReason
  /** Null: the view's rows were all there. */
  readonly missing: (view: FeatureView, place: OnlinePlace, epoch: number) => UnavailableReason | null
  /** Whether the epoch began after the last refresh. */
  readonly isNews: (epoch: number) => boolean
  /** All that had happened in the stream by then is in the view's tiles; null: not known. */
  readonly watermark: (view: StreamView) => Micros | null
  /** Reads the record; what was known stays where that fails. Rejects with `StoreFailed`. Two round trips beside each other. */
  readonly refresh: () => Promise<void>
  readonly report: () => GuardReport
}

export interface GuardSources {
  readonly record: Pick<GuardRecord, 'read'>
  readonly tiles: LiveTiles
  /** Of another guard over the same store, in a process that has several; without it one of its own. */
  readonly belief?: GuardBelief
}

export function onlineGuard(
  { viewId, keyPrefix }: Pick<RowLayouts, 'viewId' | 'keyPrefix'>,
  views: readonly FeatureView[],
  { record, tiles, belief = guardBelief() }: GuardSources,
): OnlineGuard {
  const online = views.filter((view) => view.online)
  let recorded: RecordedGuard | null = null
  const places = new Map<FeatureView, { readonly prefix: string; readonly epochs: Set<number> }>()
  let running: Promise<void> | null = null
  let following: Promise<void> | null = null

  function note(view: FeatureView, prefix: string, epoch: number): void {
    const known = places.get(view)
    const place = known?.prefix === prefix ? known : { prefix, epochs: new Set<number>() }
    place.epochs.add(epoch)
    places.set(view, place)
  }

  async function readRecord(): Promise<void> {
    const [found] = await Promise.all([record.read(), tiles.refresh()])
    recorded = found
    for (const view of online) {
      if (view.kind === 'STREAM') {
        const live = tiles.find(view)
        if (live !== null && live.caughtUpEpoch !== null) note(view, live.prefix, live.caughtUpEpoch)
        continue
      }
      const id = viewId(view)
      const current = found.generations.get(id) ?? 0
      const prefix = keyPrefix(view, current)
      // What stands under other keys is written no more.
      if (places.get(view)?.prefix !== prefix) places.delete(view)
      for (const { viewId: filled, generation, epoch } of found.fills)
        if (filled === id && generation === current) note(view, prefix, epoch)
    }
  }

  function startRefresh(): Promise<void> {
    running = readRecord().finally(() => {
      running = null
    })
    return running
  }

  function unfilled(view: FeatureView): UnavailableReason {
    if (view.kind === 'STREAM') return tiles.find(view) === null ? tiles.missing(view) : 'REFILLING'
    return recorded?.filledOnce.has(viewId(view)) ? 'REFILLING' : 'NEVER_FILLED'
  }

  function missing(view: FeatureView, place: OnlinePlace, epoch: number): UnavailableReason | null {
    if (place.epochs.has(epoch)) return null
    return recorded !== null && epoch > recorded.epoch ? 'LOST' : unfilled(view)
  }

  return {
    placeOf(view) {
      return places.get(view) ?? unfilled(view)
    },
    epochOf: belief.epochOf,
    missing,
    isNews: (epoch) => recorded === null || epoch > recorded.epoch,
    watermark: (view) => tiles.find(view)?.watermark ?? null,
    refresh() {
      if (running === null) return startRefresh()
      // The one under way may have read before what the caller has seen.
      following ??= running
        .catch(() => {})
        .then(() => {
          following = null
          return startRefresh()
        })
      return following
    },
    report() {
      const believed = belief.last()
      const epoch = typeof believed === 'number' ? believed : null
      const state = (view: FeatureView): UnavailableReason | null => {
        const place = places.get(view)
        if (place === undefined) return unfilled(view)
        return epoch === null ? null : missing(view, place, epoch)
      }
      return {
        refused: typeof believed === 'number' ? null : believed,
        views: new Map(online.map((view) => [view, state(view)])),
      }
    },
  }
}
