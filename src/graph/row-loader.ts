import DataLoader from 'dataloader'
import type { Micros } from '../definitions/timestamp.ts'
import type { EntityKey } from '../definitions/value.ts'
import type { Entity, FeatureView } from '../registry/registry.ts'
import type { EntityRow, OfflineStore } from '../stores/offline-store.ts'
import { onlineKeySuffix } from '../stores/online-key.ts'
import type { OnlineStore } from '../stores/online-store.ts'
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
  readonly offline: OfflineStore
  readonly reader: (view: FeatureView) => ColumnReader
  /** The front of the view's online keys. */
  readonly keyPrefix: (view: FeatureView) => string
  readonly observe: RowObserver
}

/** Told after every read of a store; `error` when it failed. */
export type RowObserver = (read: {
  readonly store: 'online' | 'offline'
  readonly rows: number
  readonly seconds: number
  readonly error?: unknown
}) => void

/**
 * One loader per request. Every root, alias and service of a tick goes into one batch, which makes one read of the online
 * store and one statement per entity type of the offline store, whatever the shape of the query; duplicates are read
 * once. A promise per root, not per entity: that costs half the throughput at 100 entities.
 */
export function rowLoader(sources: RowSources, now: Micros, signal: () => AbortSignal): RowLoader {
  return new DataLoader((needs: readonly Need[]) => answerNeeds(sources, now, signal, needs), {
    cache: false,
  })
}

/** A column to be filled: which need and which of its views. */
interface Wanted {
  readonly need: Need
  readonly view: FeatureView
  readonly fill: (column: ViewColumn) => void
}

async function answerNeeds(
  sources: RowSources,
  now: Micros,
  signal: () => AbortSignal,
  needs: readonly Need[],
): Promise<readonly (readonly ViewColumn[])[]> {
  const online: Wanted[] = []
  const offline: Wanted[] = []
  const answers = needs.map((need) => {
    const columns: ViewColumn[] = []
    need.views.forEach((view, index) => {
      const fill = (column: ViewColumn): void => {
        columns[index] = column
      }
      const wanted = { need, view, fill }
      if (need.times === null && view.online) online.push(wanted)
      else offline.push(wanted)
    })
    return columns
  })
  await Promise.all([
    online.length === 0 ? null : readOnline(sources, now, online),
    ...groupByEntity(offline).map((group) => readOffline(sources, now, signal(), group)),
  ])
  return answers
}

async function readOnline(sources: RowSources, now: Micros, wanted: readonly Wanted[]): Promise<void> {
  const suffixes = new Map<Need, readonly string[]>()
  for (const { need } of wanted) if (!suffixes.has(need)) suffixes.set(need, need.keys.map(onlineKeySuffix))
  const plan = planKeys(sources, wanted, suffixes)
  const started = performance.now()
  try {
    const cells = await sources.online.readMany(plan.keys)
    observe(sources, 'online', plan.keys.length, started)
    wanted.forEach(({ view, fill }, index) => {
      fill(onlineColumn(sources.reader(view), cells, plan.placeOf[index] ?? nowhere, now))
    })
  } catch (error) {
    observe(sources, 'online', plan.keys.length, started, error)
    for (const { view, fill } of wanted) fill(unavailableColumn(sources.reader(view), 'ONLINE', () => now))
  }
}

interface KeyPlan {
  readonly keys: readonly string[]
  /** Per wanted column: where a row of its need stands. */
  readonly placeOf: readonly ((index: number) => number)[]
}

const nowhere = (): number => -1

/** One need without duplicate keys, the usual request, needs no map from key to place. */
function planKeys(
  sources: RowSources,
  wanted: readonly Wanted[],
  suffixes: ReadonlyMap<Need, readonly string[]>,
): KeyPlan {
  const keys: string[] = []
  const [only, another] = suffixes.values()
  if (only && !another && new Set(only).size === only.length) {
    const placeOf = wanted.map(({ view }) => {
      const prefix = sources.keyPrefix(view)
      const start = keys.length
      for (const suffix of only) keys.push(prefix + suffix)
      return (index: number) => start + index
    })
    return { keys, placeOf }
  }
  const known = new Map<string, number>()
  const placeOf = wanted.map(({ need, view }) => {
    const prefix = sources.keyPrefix(view)
    const places = (suffixes.get(need) ?? []).map((suffix) => {
      const key = prefix + suffix
      const place = known.get(key)
      if (place !== undefined) return place
      known.set(key, keys.length)
      return keys.push(key) - 1
    })
    return (index: number) => places[index] ?? -1
  })
  return { keys, placeOf }
}

function groupByEntity(wanted: readonly Wanted[]): readonly (readonly Wanted[])[] {
  const groups = new Map<Entity, Wanted[]>()
  for (const item of wanted) {
    const group = groups.get(item.need.entity)
    if (group) group.push(item)
    else groups.set(item.need.entity, [item])
  }
  return [...groups.values()]
}

async function readOffline(
  sources: RowSources,
  now: Micros,
  signal: AbortSignal,
  wanted: readonly Wanted[],
): Promise<void> {
  const views = [...new Set(wanted.map((item) => item.view))]
  const rows: EntityRow[] = []
  const known = new Map<string, number>()
  const placesOf = new Map<Need, readonly number[]>()
  for (const { need } of wanted) {
    if (placesOf.has(need)) continue
    const places = need.keys.map((key, index) => {
      const { asOf, knownAt } = need.times?.(index) ?? { asOf: now, knownAt: null }
      const identity = `${onlineKeySuffix(key)}${asOf},${knownAt}`
      const place = known.get(identity)
      if (place !== undefined) return place
      known.set(identity, rows.length)
      return rows.push({ key, asOf, knownAt }) - 1
    })
    placesOf.set(need, places)
  }
  const timesOf = (need: Need) => (index: number) => need.times?.(index).asOf ?? now
  const started = performance.now()
  try {
    const answer = await sources.offline.asOfJoin({ views, rows }, signal)
    observe(sources, 'offline', rows.length, started)
    for (const { need, view, fill } of wanted) {
      const column = answer[views.indexOf(view)] ?? []
      fill(
        offlineColumn(
          sources.reader(view),
          column,
          (index) => placesOf.get(need)?.[index] ?? -1,
          timesOf(need),
        ),
      )
    }
  } catch (error) {
    observe(sources, 'offline', rows.length, started, error)
    for (const { need, view, fill } of wanted)
      fill(unavailableColumn(sources.reader(view), 'OFFLINE', timesOf(need)))
  }
}

function observe(
  sources: RowSources,
  store: 'online' | 'offline',
  rows: number,
  started: number,
  error?: unknown,
): void {
  const seconds = (performance.now() - started) / 1_000
  sources.observe(error === undefined ? { store, rows, seconds } : { store, rows, seconds, error })
}
