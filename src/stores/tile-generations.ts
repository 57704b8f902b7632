import type { Micros } from '../definitions/timestamp.ts'
import type { GuardMoment } from './guard-record.ts'

/** Whose tiles: a view, by its id, with the fingerprint of its windows. */
export interface TiledView {
  readonly viewId: string
  readonly fingerprint: number
}

/** RETIRED: readers may still be on their way to the live one for some seconds. */
export type GenerationState = 'BUILDING' | 'LIVE' | 'RETIRED'

/** One set of a view's tiles in the online store. */
export interface TileGeneration extends TiledView {
  /** Never used twice. */
  readonly generation: number
  readonly state: GenerationState
  readonly changedAt: Micros
  /** All that had happened in the stream and been stored by then is in the tiles; null: it was never caught up. */
  readonly watermark: Micros | null
  /** The online store's epoch in which the tiles were caught up last; null: in none. */
  readonly caughtUpEpoch: number | null
  /** The latest correction of moments in the project when it began: it has none of the moments before. */
  readonly correction: number
}

/** How far tiles are caught up. */
interface TileWatermark extends TiledView {
  readonly generation: number
  /** As in `TileGeneration`. */
  readonly at: Micros | null
  /** As it was read before they were caught up; null: not since the online store was checked last. */
  readonly caughtUpIn: GuardMoment | null
}

/** Which tiles are read and which are being built. Rejects with `StoreFailed`. */
export interface TileGenerations {
  readonly list: () => Promise<readonly TileGeneration[]>
  /** Nothing happens where the view has one that is being built, or the number is taken. */
  readonly begin: (view: TiledView, generation: number, at: Micros) => Promise<void>
  /** The one that was built is read from now on; the one before it retires. Nothing happens where it is not being built. */
  readonly goLive: (view: TiledView, generation: number, at: Micros) => Promise<void>
  /** Tiles of views that are none of these are rebuilt when such a view is defined again. */
  readonly retireOthers: (viewIds: readonly string[], at: Micros) => Promise<void>
  /**
   * A retired one is listed no more, and what the online store has under the front of its keys is to be removed. Not to be
   * called for the last of a view's, whose number would be used again.
   */
  readonly forget: (view: TiledView, generation: number, keyPrefix: string) => Promise<void>
  /** Never moved back. */
  readonly recordWatermarks: (watermarks: readonly TileWatermark[]) => Promise<void>
}
