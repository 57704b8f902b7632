import type { Micros } from '../../definitions/timestamp.ts'
import type { FeatureView, StoredView } from '../../registry/registry.ts'
import { type DeletionStore, type OnlineKey, sameKey } from '../../stores/deletion-store.ts'
import type { OnlineStore } from '../../stores/online-store.ts'
import { onlineKeySuffix } from '../../stores/online-value/online-key.ts'
import {
  packedHeaderBytes,
  packedRowKind,
  packTombstone,
  readRowOrder,
} from '../../stores/online-value/packed-row.ts'
import { physicalExpiry } from '../../stores/online-value/physical-expiry.ts'
import { clearedAtOf, readSections } from '../../stores/online-value/tile-sections.ts'
import type { TileGeneration, TileGenerations } from '../../stores/tile-generations.ts'
import type { LoggedTombstone, TombstoneLog } from '../../stores/tombstone-log.ts'
import { tileExpiry } from '../tiles/followed-sources.ts'
import type { TilePlaces } from '../tiles/tile-generation.ts'
import type { DeletionScope } from './deletion-scope.ts'

export interface OnlineKeyTargets extends Pick<TilePlaces, 'tiledView' | 'tilePrefix'> {
  readonly deletions: Pick<DeletionStore, 'onlineKeys'>
  readonly generations: Pick<TileGenerations, 'list'>
  readonly online: Pick<OnlineStore, 'readMany' | 'writeMany'>
  readonly tombstones: Pick<TombstoneLog, 'record'>
  readonly viewId: (view: FeatureView) => string
  readonly rowPrefix: (view: StoredView) => Promise<string>
}

/** Under which keys rows of the deleted entity may stand online, of one view. */
export interface OnlineKeys {
  readonly view: FeatureView
  /** Whole keys of the online store. */
  readonly keys: readonly string[]
  /** Those that the offline store recorded. */
  readonly recorded: readonly OnlineKey[]
}

/**
 * Of a view with the entity's own join keys one key; of a view with more join keys those that are recorded offline. A
 * streaming view has them once per generation of its tiles. Three round trips, one of them for each view.
 */
export async function onlineKeysOf(
  targets: OnlineKeyTargets,
  scope: DeletionScope,
): Promise<readonly OnlineKeys[]> {
  const views = scope.views.filter((view) => view.online)
  const wider = await targets.deletions.onlineKeys(scope)
  const tiles = views.some(({ kind }) => kind === 'STREAM') ? await targets.generations.list() : []
  return await Promise.all(
    views.map(async (view) => {
      const same = sameKey(scope, view)
      const recorded = wider.filter((one) => one.view === view.id)
      const suffixes = (same === null ? recorded.map(({ key }) => key) : [same]).map(onlineKeySuffix)
      const prefixes = await keyPrefixes(targets, view, tiles)
      const keys = prefixes.flatMap((prefix) => suffixes.map((suffix) => prefix + suffix))
      return { view, keys, recorded }
    }),
  )
}

async function keyPrefixes(
  { rowPrefix, tiledView, tilePrefix }: OnlineKeyTargets,
  view: FeatureView,
  tiles: readonly TileGeneration[],
): Promise<readonly string[]> {
  if (view.kind !== 'STREAM') return [await rowPrefix(view)]
  const { viewId } = tiledView(view)
  return tiles.filter((one) => one.viewId === viewId).map((one) => tilePrefix(one, one.generation))
}

/** The latest event timestamp of the rows that stand under the keys; -Infinity without any. */
export async function newestOnline(
  online: Pick<OnlineStore, 'readMany'>,
  keysOfViews: readonly OnlineKeys[],
): Promise<Micros> {
  const rows = await readAll(
    online,
    keysOfViews.flatMap(({ keys }) => keys),
  )
  return rows.reduce(
    (newest, row) => Math.max(newest, (row && readRowOrder(row)?.[0]) ?? newest),
    Number.NEGATIVE_INFINITY,
  )
}

/**
 * Returns how many rows stood under the keys. A row of a later event than `deletedAt` stays. The tombstones are logged first,
 * for a store that loses them.
 */
export async function writeTombstones(
  { online, tombstones, viewId }: Pick<OnlineKeyTargets, 'online' | 'tombstones' | 'viewId'>,
  keysOfViews: readonly OnlineKeys[],
  deletedAt: Micros,
): Promise<number> {
  const row = packTombstone(deletedAt)
  await tombstones.record(
    keysOfViews.flatMap(({ view, keys }) =>
      keys.map((key) => ({
        key,
        viewId: viewId(view),
        deletedAt,
        expireAfterMicros: tombstoneExpiry(view),
      })),
    ),
  )
  let count = 0
  for (const { view, keys } of keysOfViews) {
    const stood = await readAll(online, keys)
    count += stood.filter((one) => one !== null && isRow(one, deletedAt)).length
    const expiry = tombstoneExpiry(view)
    for (const chunk of chunksOf(keys)) {
      await online.writeMany(
        chunk.map((key) => ({ key, row })),
        expiry,
      )
    }
  }
  return count
}

/**
 * Writes logged tombstones again, into a store that may have lost them. Returns whether tiles stand there that a deletion
 * had cleared: they are to be rebuilt, since events of a later life may be in them too.
 */
export async function rewriteTombstones(
  online: Pick<OnlineStore, 'readMany' | 'writeMany'>,
  tombstones: readonly LoggedTombstone[],
): Promise<boolean> {
  let areTilesOld = false
  for (const chunk of chunksOf(tombstones)) {
    const stood = (await online.readMany(chunk.map(({ key }) => key))).rows
    const ofRows = chunk.filter(({ deletedAt }, index) => {
      const value = stood[index] ?? null
      if (value === null || readSections(value) === null) return true
      areTilesOld ||= clearedAtOf(value) < deletedAt
      return false
    })
    for (const expiry of new Set(ofRows.map(({ expireAfterMicros }) => expireAfterMicros))) {
      const writes = ofRows
        .filter(({ expireAfterMicros }) => expireAfterMicros === expiry)
        .map(({ key, deletedAt }) => ({ key, row: packTombstone(deletedAt) }))
      await online.writeMany(writes, expiry)
    }
  }
  return areTilesOld
}

function tombstoneExpiry(view: FeatureView): Micros | null {
  return view.kind === 'STREAM' ? tileExpiry(view) : physicalExpiry(view.ttlMicros)
}

async function readAll(
  online: Pick<OnlineStore, 'readMany'>,
  keys: readonly string[],
): Promise<readonly (Buffer | null)[]> {
  const rows: (Buffer | null)[] = []
  for (const chunk of chunksOf(keys)) rows.push(...(await online.readMany(chunk)).rows)
  return rows
}

/** So many keys are read or written at once. */
const keysAtOnce = 1_000

function* chunksOf<Item>(items: readonly Item[]): Generator<readonly Item[]> {
  for (let start = 0; start < items.length; start += keysAtOnce) yield items.slice(start, start + keysAtOnce)
}

/** Closing rows and tombstones hold nothing about the entity; a row of later events stays. */
function isRow(stood: Buffer, deletedAt: Micros): boolean {
  if (stood.length < packedHeaderBytes || packedRowKind(stood) === 'ABSENT') return false
  return (readRowOrder(stood)?.[0] ?? deletedAt) <= deletedAt
}
