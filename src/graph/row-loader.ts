import DataLoader from 'dataloader'
import type { Micros } from '../definitions/timestamp.ts'
import type { UnavailableReason } from '../definitions/unavailable-reason.ts'
import type { EntityKey } from '../definitions/value.ts'
import { StoreFailed, StoreTimedOut } from '../errors.ts'
import { planAsOf } from '../historical/as-of-plan.ts'
import type { OnlineGuard, OnlinePlace } from '../online/guard.ts'
import { planRead } from '../online/read-plan.ts'
import type { Entity, FeatureView } from '../registry/registry.ts'
import type { AsOfReader } from '../stores/as-of-reader.ts'
import type { OnlineStore } from '../stores/online-store.ts'
import { onlineKeySuffix } from '../stores/online-value/online-key.ts'
import {
  type ColumnReader,
  offlineColumn,
  onlineColumn,
  unavailableColumn,
  type ViewColumn,
} from './view-column.ts'

/** Null: now, online. Else the moment of each row. */
export type NeedTimes = null | ((index: number) => { readonly asOf: Micros; readonly knownAt: Micros | null })

/** The whole need of one root field for one entity type: all its keys, all the views selected. */
interface Need {
  readonly entity: Entity
  readonly keys: readonly EntityKey[]
  readonly views: readonly FeatureView[]
  readonly times: NeedTimes
}

/** Per need, one column a view in the need's order. Never rejects: what could not be read is an unavailable column. */
export type RowLoader = DataLoader<Need, readonly ViewColumn[]>

/** What loaders of all requests share. */
export interface RowSources {
  readonly online: OnlineStore
  readonly offline: AsOfReader
  readonly reader: (view: FeatureView) => ColumnReader
  /** What of the online store may be believed. */
  readonly guard: Pick<OnlineGuard, 'placeOf' | 'epochOf' | 'missing' | 'isNews' | 'refresh'>
  readonly observe: RowObserver
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
}

/**
 * One loader per request. Every root, alias and service of a tick goes into one batch, which makes one read of the online
 * store and one statement per entity type of the offline store, whatever the shape of the query; duplicates are read
 * once. A promise per root, not per entity: that costs half the throughput at 100 entities.
 */
export function rowLoader(sources: RowSources, request: LoadingRequest): RowLoader {
  return new DataLoader((needs: readonly Need[]) => answerNeeds(sources, request, needs), { cache: false })
}

/** A column to be filled: which need and which of its views. */
interface Wanted {
  readonly need: Need
  readonly view: FeatureView
  readonly fill: (column: ViewColumn) => void
}

interface WantedOnline extends Wanted {
  readonly place: OnlinePlace
}

async function answerNeeds(
  sources: RowSources,
  request: LoadingRequest,
  needs: readonly Need[],
): Promise<readonly (readonly ViewColumn[])[]> {
  const online: Wanted[] = []
  const offline = new Map<Entity, Wanted[]>()
  const answers = needs.map((need) => {
    const columns: ViewColumn[] = []
    need.views.forEach((view, index) => {
      const fill = (column: ViewColumn): void => {
        columns[index] = column
      }
      const wanted = { need, view, fill }
      const group = offline.get(need.entity)
      if (need.times === null && view.online) online.push(wanted)
      else if (group) group.push(wanted)
      else offline.set(need.entity, [wanted])
    })
    return columns
  })
  const reads: Promise<void>[] = []
  if (online.length > 0) reads.push(answerOnline(sources, request, online))
  if (offline.size > 0) {
    const signal = request.signal()
    for (const group of offline.values()) reads.push(readOffline(sources, request, signal, group))
  }
  await Promise.all(reads)
  return answers
}

/** A read of an epoch that began since the record was read last is made once more, by the record as it is now. */
async function answerOnline(
  sources: RowSources,
  request: LoadingRequest,
  wanted: readonly Wanted[],
): Promise<void> {
  if (await readOnline(sources, request, wanted, 'ONCE_MORE')) return
  // Where it cannot be read, the read is answered by what is known.
  await sources.guard.refresh().catch(() => {})
  await readOnline(sources, request, wanted, 'AS_IT_IS')
}

/** False: nothing is filled, since the read is of an epoch that is not known yet. */
async function readOnline(
  sources: RowSources,
  request: LoadingRequest,
  all: readonly Wanted[],
  news: 'ONCE_MORE' | 'AS_IT_IS',
): Promise<boolean> {
  const { guard } = sources
  const { now } = request
  const refuse = ({ view, fill }: Wanted, reason: UnavailableReason): void =>
    fill(unavailableColumn(sources.reader(view), 'ONLINE', () => now, reason))
  const wanted: WantedOnline[] = []
  for (const one of all) {
    const place = guard.placeOf(one.view)
    if (typeof place === 'string') refuse(one, place)
    else wanted.push({ ...one, place })
  }
  if (wanted.length === 0) return true
  const suffixes = new Map<Need, readonly string[]>()
  const plan = planRead(
    wanted.map(({ need, place: { prefix } }) => {
      const known = suffixes.get(need) ?? need.keys.map(onlineKeySuffix)
      suffixes.set(need, known)
      return { prefix, suffixes: known }
    }),
  )
  const tell = observeRead(sources, request, 'online', plan.keys.length)
  try {
    const read = await sources.online.readMany(plan.keys)
    const cells = read.rows
    if (cells.length !== plan.keys.length) {
      throw new StoreFailed(
        `the online store was asked for ${plan.keys.length} rows and answered ${cells.length}`,
      )
    }
    tell()
    const epoch = guard.epochOf(read)
    if (typeof epoch === 'number' && news === 'ONCE_MORE' && guard.isNews(epoch)) return false
    wanted.forEach((one, index) => {
      const { view, fill, place } = one
      const reason = typeof epoch === 'string' ? epoch : guard.missing(view, place, epoch)
      if (reason !== null) refuse(one, reason)
      else fill(onlineColumn(sources.reader(view), cells, plan.placeOf[index] ?? nowhere, now))
    })
  } catch (error) {
    tell(error)
    const reason = reasonOf(error)
    for (const one of wanted) refuse(one, reason)
  }
  return true
}

const nowhere = (): number => -1

function reasonOf(error: unknown): UnavailableReason {
  return error instanceof StoreTimedOut ? 'TIMEOUT' : 'STORE_FAILED'
}

async function readOffline(
  sources: RowSources,
  request: LoadingRequest,
  signal: AbortSignal,
  wanted: readonly Wanted[],
): Promise<void> {
  const views = [...new Set(wanted.map((item) => item.view))]
  const needs = [...new Set(wanted.map((item) => item.need))]
  const present = { asOf: request.now, knownAt: null }
  const timesOf = (need: Need) => need.times ?? (() => present)
  const plan = planAsOf(needs.map((need) => ({ keys: need.keys, times: timesOf(need) })))
  const tell = observeRead(sources, request, 'offline', plan.rows.length)
  try {
    const answer = await sources.offline.asOfJoin({ views, rows: plan.rows }, signal)
    tell()
    for (const { need, view, fill } of wanted) {
      const rows = answer[views.indexOf(view)] ?? []
      const placeOf = plan.placeOf[needs.indexOf(need)] ?? nowhere
      fill(offlineColumn(sources.reader(view), rows, placeOf, (index) => timesOf(need)(index).asOf))
    }
  } catch (error) {
    tell(error)
    const reason = reasonOf(error)
    for (const { need, view, fill } of wanted) {
      const times = (index: number): Micros => timesOf(need)(index).asOf
      fill(unavailableColumn(sources.reader(view), 'OFFLINE', times, reason))
    }
  }
}

/** Starts the clock; the answer is to be called once the store has answered, with what it failed by. */
function observeRead(
  sources: RowSources,
  { requestId }: LoadingRequest,
  store: 'online' | 'offline',
  rows: number,
): (error?: unknown) => void {
  const started = performance.now()
  return (error) => {
    const seconds = (performance.now() - started) / 1_000
    sources.observe({ store, rows, seconds, requestId, ...(error === undefined ? {} : { error }) })
  }
}
