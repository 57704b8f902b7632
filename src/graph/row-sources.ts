import type DataLoader from 'dataloader'
import type { Micros } from '../definitions/timestamp.ts'
import type { UnavailableReason } from '../definitions/unavailable-reason.ts'
import type { EntityKey } from '../definitions/value.ts'
import { StoreTimedOut } from '../errors.ts'
import type { OnlineGuard } from '../online/guard.ts'
import type { LayoutHistory } from '../online/layout-history.ts'
import type { Entity, FeatureView } from '../registry/registry.ts'
import type { AsOfReader } from '../stores/as-of-reader.ts'
import type { OnlineStore } from '../stores/online-store.ts'
import type { ReadBytes } from './answer-size.ts'
import type { ColumnReader, ViewColumn } from './view-column.ts'
import type { EndTurn } from './work.ts'

/** Null: now, online. Else the moment of each row. */
export type NeedTimes = null | ((index: number) => { readonly asOf: Micros; readonly knownAt: Micros | null })

/** The whole need of one root field for one entity type: all its keys, all the views selected. */
export interface Need {
  readonly entity: Entity
  readonly keys: readonly EntityKey[]
  readonly views: readonly FeatureView[]
  readonly times: NeedTimes
}

/**
 * Per need, one column a view in the need's order. What could not be read is an unavailable column; rejects with `TooManyBytes`
 * only.
 */
export type RowLoader = DataLoader<Need, readonly ViewColumn[]>

/** What loaders of all requests share. */
export interface RowSources {
  readonly online: OnlineStore
  readonly offline: AsOfReader
  readonly reader: (view: FeatureView) => ColumnReader
  /** What of the online store may be believed. */
  readonly guard: Pick<OnlineGuard, 'placeOf' | 'epochOf' | 'missing' | 'isNews' | 'refresh'>
  readonly layouts: Pick<LayoutHistory, 'learn'>
  readonly instead: OfflineInstead
  readonly observe: RowObserver
}

/** What the offline store answers in the online store's place, as of now. */
export interface OfflineInstead {
  /** Views that the online store does not answer, or of which nothing may be believed. */
  readonly forUnavailable: boolean
  /** Keys without a row: the store may have evicted it. */
  readonly forMisses: boolean
  /** How to end the turn of this caller; null: as many as may run at once do. */
  readonly takeTurn: (payer: string) => EndTurn | null | Promise<EndTurn | null>
}

/** Called after every read of a store; `error` when it failed. */
export type RowObserver = (read: {
  readonly store: 'online' | 'offline'
  readonly rows: number
  readonly seconds: number
  readonly requestId: string
  readonly error?: unknown
}) => void

/** What the loader takes from the request that it is made for. */
export interface LoadingRequest {
  readonly requestId: string
  readonly now: Micros
  /** Aborts when the caller goes away. Asked for once, and only when the offline store is read. */
  readonly signal: () => AbortSignal
  /** Its caller's. */
  readonly payer: string
  readonly readBytes: ReadBytes
}

/** A column to be filled: which need and which of its views. */
export interface Wanted {
  readonly need: Need
  readonly view: FeatureView
  readonly fill: (column: ViewColumn) => void
}

export const nowhere = (): number => -1

export function reasonOf(error: unknown): UnavailableReason {
  return error instanceof StoreTimedOut ? 'TIMEOUT' : 'STORE_FAILED'
}

/** Starts the clock; the answer is to be called once the store has answered, with what it failed by. */
export function observeRead(
  sources: Pick<RowSources, 'observe'>,
  { requestId }: LoadingRequest,
  store: 'online' | 'offline',
  rows: number,
): (error?: unknown) => void {
  const started = performance.now()
  return (error) => {
    const seconds = (performance.now() - started) / 1_000
    sources.observe({ store, rows, seconds, requestId, error })
  }
}
