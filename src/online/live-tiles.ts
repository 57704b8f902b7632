import type { Micros } from '../definitions/timestamp.ts'
import type { UnavailableReason } from '../definitions/unavailable-reason.ts'
import type { FeatureView, StreamView } from '../registry/registry.ts'
import type { TileGeneration, TileGenerations } from '../stores/tile-generations.ts'
import type { RowLayouts } from './row-layouts.ts'

/** Where a streaming view is read online. */
interface LiveGeneration {
  /** The front of its keys. */
  readonly prefix: string
  /** All that had happened in the stream and been stored by then is in the tiles; null while no process has recorded it. */
  readonly watermark: Micros | null
  /** As in `TileGeneration`. */
  readonly caughtUpEpoch: number | null
}

/** What readers know of the tiles: as of the last refresh, which is to be asked for every half second. */
export interface LiveTiles {
  /** Null: no tiles of the view's windows have caught up yet. */
  readonly find: (view: StreamView) => LiveGeneration | null
  /** Why `find` is null. */
  readonly missing: (view: StreamView) => UnavailableReason
  /** Rejects with `StoreFailed`: what was known stays. One round trip. */
  readonly refresh: () => Promise<void>
}

export function liveTiles(
  { tiledView, tilePrefix }: Pick<RowLayouts, 'tiledView' | 'tilePrefix'>,
  views: readonly FeatureView[],
  generations: Pick<TileGenerations, 'list'>,
): LiveTiles {
  const streamed = views.filter((view) => view.kind === 'STREAM')
  let live: ReadonlyMap<StreamView, LiveGeneration> = new Map()
  let all: readonly TileGeneration[] = []
  return {
    find: (view) => live.get(view) ?? null,
    missing(view) {
      const { viewId, fingerprint } = tiledView(view)
      const own = all.filter((one) => one.viewId === viewId)
      if (own.some((one) => one.fingerprint !== fingerprint)) return 'RECOMPUTING'
      return own.length > 0 ? 'NOT_APPLIED' : 'NEVER_FILLED'
    },
    async refresh() {
      if (streamed.length === 0) return
      all = await generations.list()
      const known = all.filter(({ state }) => state === 'LIVE')
      live = new Map(
        streamed.flatMap((view) => {
          const { viewId, fingerprint } = tiledView(view)
          const own = known.find((one) => one.viewId === viewId && one.fingerprint === fingerprint)
          if (!own) return []
          const { generation, watermark, caughtUpEpoch } = own
          return [[view, { prefix: tilePrefix(own, generation), watermark, caughtUpEpoch }] as const]
        }),
      )
    },
  }
}
