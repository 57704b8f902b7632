import { concernsEntity } from '../../definitions/concerns-entity.ts'
import type { Clock, Micros } from '../../definitions/timestamp.ts'
import type { EntityKey } from '../../definitions/value.ts'
import { DeletionUnfinished, StoreFailed } from '../../errors.ts'
import { deadLetterTopic } from '../../registry/dead-letter-topic.ts'
import type {
  Entity,
  EventSource,
  FeatureView,
  Registry,
  StoredView,
  StreamView,
} from '../../registry/registry.ts'
import {
  type DeletionCount,
  type DeletionStore,
  type EntityToDelete,
  type OnlineKey,
  sameKey,
} from '../../stores/deletion-store.ts'
import type { EventStore } from '../../stores/event-store.ts'
import type { OnlineStore } from '../../stores/online-store.ts'
import { onlineKeySuffix } from '../../stores/online-value/online-key.ts'
import {
  packedHeaderBytes,
  packedRowKind,
  packTombstone,
  readRowOrder,
} from '../../stores/online-value/packed-row.ts'
import { physicalExpiry } from '../../stores/online-value/physical-expiry.ts'
import type { TileGeneration, TileGenerations } from '../../stores/tile-generations.ts'
import { insist, type Sleep } from '../retry.ts'
import { tileExpiry } from '../tiles/followed-sources.ts'
import type { TilePlaces } from '../tiles/tile-generation.ts'
import { streamMarker, streamMarkerName, streamPosition } from '../tiles/tile-marker.ts'

export interface DeletionTargets extends Pick<TilePlaces, 'tiledView' | 'tilePrefix'> {
  readonly deletions: DeletionStore
  readonly online: OnlineStore
  readonly generations: Pick<TileGenerations, 'list'>
  readonly events: Pick<EventStore, 'positions'>
  readonly keyPrefix: (view: StoredView) => string
  readonly clock: Clock
}

export interface DeletionOptions {
  readonly sleep: Sleep
  /** How long to wait for transactions that began before; null: until they end. */
  readonly waitMs: number | null
  /** Such transactions are waited for. */
  readonly onWait: () => void
}

export interface DeletionReceipt {
  readonly entity: string
  /** Rows and events up to here are refused from now on. */
  readonly deletedAt: Micros
  /** By place, zeros too. */
  readonly counts: readonly DeletionCount[]
  /** What holds data of the entity perhaps, and is out of reach. */
  readonly notReached: readonly string[]
}

/** Deletes with targets that are bound. */
export type DeleteEntity = (entity: Entity, key: EntityKey) => Promise<DeletionReceipt>

const pollMs = 50

interface Scope extends EntityToDelete {
  readonly views: readonly FeatureView[]
  readonly sources: readonly EventSource[]
}

/**
 * Deletes an entity from every view and event source that has all of its join keys: its rows and events are gone from the
 * offline store, tombstones stand in the online store, and no way in takes anything of it up to `deletedAt`. That is the
 * clock's time, or later where a row online is. May be stopped anywhere and run again; a key that nobody knows is recorded
 * all the same.
 * @throws StoreFailed when the offline store does not answer; DeletionUnfinished when the deletion stands, and the online
 * store or an older transaction keeps it from being complete.
 */
export async function deleteEntity(
  targets: DeletionTargets,
  registry: Registry,
  entity: Entity,
  key: EntityKey,
  options: DeletionOptions,
): Promise<DeletionReceipt> {
  const { deletions, online, clock } = targets
  const scope = scopeOf(registry, entity, key)
  const places = onlinePlaces(targets, scope)
  const followed = await streamPlaces(targets, scope)
  const standing = await newestOnline(online, await places()).catch(nothingKnown)
  const recorded = await deletions.record(scope, Math.max(clock(), standing))
  const { deletedAt } = recorded
  const counts = tally(scope, online.name)

  counts.add(await deletions.erase(scope, deletedAt))
  const bury = async (where: readonly OnlinePlaces[]): Promise<void> => {
    const rows = await putTombstones(online, where, deletedAt)
    counts.add([{ place: onlinePlace(online.name), rows }])
  }
  const insistOn = (attempt: () => Promise<void>): Promise<void> =>
    insist(
      options.sleep,
      attempt,
      (tries, cause) =>
        new DeletionUnfinished(
          `the deletion of this ${entity.name} is recorded and done offline, but the online store did not answer in ${tries} tries; delete it again to complete it`,
          { cause },
        ),
    )
  // Most is gone at once; a store that is away now may be back when the others have ended.
  await bury(await places()).catch(nothingKnown)
  await untilEnded(deletions, recorded.unaware, entity, options)
  counts.add(await deletions.erase(scope, deletedAt))
  const where = await places()
  await insistOn(() => bury(where))
  // What happened since went down with the rest.
  await insistOn(() => setBack(targets, followed))
  const told = where.flatMap((one) => one.told)
  if (told.length > 0) await deletions.forgetOnlineKeys(scope, told)
  return { entity: entity.name, deletedAt, counts: counts.all(), notReached: notReached(scope) }
}

function nothingKnown(error: unknown): number {
  if (!(error instanceof StoreFailed)) throw error
  return Number.NEGATIVE_INFINITY
}

function scopeOf({ views, eventSources }: Registry, entity: Entity, key: EntityKey): Scope {
  return {
    entity,
    key,
    views: views.filter((view) => concernsEntity(view.entity.joinKeys, entity.joinKeys)),
    sources: eventSources.filter((source) => concernsEntity(source.fields, entity.joinKeys)),
  }
}

interface OnlinePlaces {
  readonly view: FeatureView
  /** Whole keys of the online store. */
  readonly keys: readonly string[]
  /** Those of them that the offline store told. */
  readonly told: readonly OnlineKey[]
}

/** Where rows of the entity may stand online: one key of a view with the same join keys, what is known offline of wider ones. */
function onlinePlaces(targets: DeletionTargets, scope: Scope) {
  const views = scope.views.filter((view) => view.online)
  return async (): Promise<readonly OnlinePlaces[]> => {
    const wider = await targets.deletions.onlineKeys(scope)
    const tiles = views.some(({ kind }) => kind === 'STREAM') ? await targets.generations.list() : []
    return views.map((view) => {
      const same = sameKey(scope, view)
      const told = wider.filter((one) => one.view === view.name)
      const keys = same === null ? told.map((one) => one.key) : [same]
      const suffixes = keys.map(onlineKeySuffix)
      const whole = keyPrefixes(targets, view, tiles).flatMap((prefix) =>
        suffixes.map((suffix) => prefix + suffix),
      )
      return { view, keys: whole, told }
    })
  }
}

interface StreamPlace {
  readonly view: StreamView
  /** How far the source's events were kept, by the name of the partition. */
  readonly kept: ReadonlyMap<string, number>
}

/** The streamed views that may have tiles of the entity, with how far their events are kept now. */
async function streamPlaces({ events }: DeletionTargets, { views }: Scope): Promise<readonly StreamPlace[]> {
  const places: StreamPlace[] = []
  for (const view of views) {
    if (view.kind !== 'STREAM' || !view.online) continue
    const positions = await events.positions(view.events)
    places.push({ view, kept: new Map(positions.map((one) => [streamMarkerName('', one), one.nextOffset])) })
  }
  return places
}

/** Has the events applied again that were kept since then: those of other keys are in their tiles, and change nothing. */
async function setBack(
  { events, online, generations, tiledView, tilePrefix, clock }: DeletionTargets,
  places: readonly StreamPlace[],
): Promise<void> {
  if (places.length === 0) return
  const known = await generations.list()
  for (const { view, kept } of places) {
    const { viewId } = tiledView(view)
    const own = known.filter((one) => one.viewId === viewId && one.state !== 'RETIRED')
    for (const partition of await events.positions(view.events)) {
      const since = kept.get(streamMarkerName('', partition)) ?? 0
      for (const one of own) {
        const name = streamMarkerName(tilePrefix(one, one.generation), partition)
        const marker = await online.readMarker(name)
        if (marker !== null && streamPosition(marker) > since)
          await online.writeMarker(name, streamMarker(since, clock()))
      }
    }
  }
}

/** A streamed view has one for each generation of its tiles. */
function keyPrefixes(
  { keyPrefix, tiledView, tilePrefix }: DeletionTargets,
  view: FeatureView,
  tiles: readonly TileGeneration[],
): readonly string[] {
  if (view.kind !== 'STREAM') return [keyPrefix(view)]
  const { viewId } = tiledView(view)
  return tiles.filter((one) => one.viewId === viewId).map((one) => tilePrefix(one, one.generation))
}

/** The latest event timestamp of the rows that stand there. */
async function newestOnline(online: OnlineStore, places: readonly OnlinePlaces[]): Promise<Micros> {
  let newest = Number.NEGATIVE_INFINITY
  for (const row of await readAll(
    online,
    places.flatMap(({ keys }) => keys),
  ))
    newest = Math.max(newest, (row && readRowOrder(row)?.[0]) ?? newest)
  return newest
}

/** So many keys are read or written at once. */
const keysAtOnce = 1_000

async function readAll(online: OnlineStore, keys: readonly string[]): Promise<readonly (Buffer | null)[]> {
  const rows: (Buffer | null)[] = []
  for (let start = 0; start < keys.length; start += keysAtOnce)
    rows.push(...(await online.readMany(keys.slice(start, start + keysAtOnce))))
  return rows
}

/** Answers how many rows stood there. */
async function putTombstones(
  online: OnlineStore,
  places: readonly OnlinePlaces[],
  deletedAt: Micros,
): Promise<number> {
  const row = packTombstone(deletedAt)
  let count = 0
  for (const { view, keys } of places) {
    const stood = await readAll(online, keys)
    count += stood.filter((one) => one !== null && isRow(one, deletedAt)).length
    for (let start = 0; start < keys.length; start += keysAtOnce) {
      const writes = keys.slice(start, start + keysAtOnce).map((key) => ({ key, row }))
      await online.writeMany(
        writes,
        view.kind === 'STREAM' ? tileExpiry(view) : physicalExpiry(view.ttlMicros),
      )
    }
  }
  return count
}

/** Closing rows and tombstones are nothing that was known of the entity; a row of later events stays. */
function isRow(stood: Buffer, deletedAt: Micros): boolean {
  if (stood.length < packedHeaderBytes || packedRowKind(stood) === 'ABSENT') return false
  return (readRowOrder(stood)?.[0] ?? deletedAt) <= deletedAt
}

async function untilEnded(
  deletions: DeletionStore,
  unaware: readonly string[],
  entity: Entity,
  { sleep, waitMs, onWait }: DeletionOptions,
): Promise<void> {
  for (let waitedMs = 0; !(await deletions.haveEnded(unaware)); waitedMs += pollMs) {
    if (waitMs !== null && waitedMs >= waitMs) {
      throw new DeletionUnfinished(
        `the deletion of this ${entity.name} is recorded, but something that began before is still writing; delete it again to complete it`,
      )
    }
    if (waitedMs === 0) onWait()
    await sleep(pollMs)
  }
}

function onlinePlace(name: string): string {
  return `online (${name})`
}

/** Counts of the passes, added up by place. */
function tally({ views }: Scope, onlineName: string) {
  const rows = new Map<string, number>()
  return {
    add(counts: readonly DeletionCount[]) {
      for (const count of counts) rows.set(count.place, (rows.get(count.place) ?? 0) + count.rows)
    },
    all(): readonly DeletionCount[] {
      const online = onlinePlace(onlineName)
      if (!views.some((view) => view.online)) rows.delete(online)
      return [...rows].map(([place, count]) => ({ place, rows: count }))
    },
  }
}

function notReached({ views, sources }: Scope): readonly string[] {
  const mappedViews = views.flatMap(({ name, source }) => {
    if (source === null) return []
    const what = source.table === undefined ? 'the query' : `the table ${source.table}`
    return [`${what} of source "${source.name}", which feature view "${name}" reads`]
  })
  const fileSources = views.flatMap((view) =>
    view.kind === 'PLAIN' && view.files !== null ? [view.files.name] : [],
  )
  const imported = [...sources.filter(({ table }) => table === null).map(({ name }) => name), ...fileSources]
  return [
    ...sources.flatMap(({ name, topic }) =>
      topic === null
        ? []
        : [
            `the topic "${topic}" of event source "${name}", and "${deadLetterTopic(topic)}"`,
            `messages of the topic "${topic}" that were put aside because they could not be read`,
          ],
    ),
    ...sources.flatMap(({ name, table }) =>
      table === null ? [] : [`the table ${table} of event source "${name}"`],
    ),
    ...new Set(mappedViews),
    ...[...new Set(imported)].map((name) => `files that were imported into "${name}"`),
    'training files that were handed out',
    'backups',
    'lines of logs',
  ]
}
