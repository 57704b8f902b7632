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
import type { TileGeneration, TileGenerations } from '../../stores/tile-generations.ts'
import { tileExpiry } from '../tiles/followed-sources.ts'
import type { TilePlaces } from '../tiles/tile-generation.ts'
import type { DeletionScope } from './deletion-scope.ts'

export interface OnlineKeyTargets extends Pick<TilePlaces, 'tiledView' | 'tilePrefix'> {
  readonly deletions: Pick<DeletionStore, 'onlineKeys'>
  readonly generations: Pick<TileGenerations, 'list'>
  readonly keyPrefix: (view: StoredView) => string
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
 * streaming view has them once per generation of its tiles. Two round trips at most.
 */
export async function onlineKeysOf(
  targets: OnlineKeyTargets,
  scope: DeletionScope,
): Promise<readonly OnlineKeys[]> {
  const views = scope.views.filter((view) => view.online)
  const wider = await targets.deletions.onlineKeys(scope)
  const tiles = views.some(({ kind }) => kind === 'STREAM') ? await targets.generations.list() : []
  return views.map((view) => {
    const same = sameKey(scope, view)
    const recorded = wider.filter((one) => one.view === view.name)
    const suffixes = (same === null ? recorded.map(({ key }) => key) : [same]).map(onlineKeySuffix)
    const keys = keyPrefixes(targets, view, tiles).flatMap((prefix) =>
      suffixes.map((suffix) => prefix + suffix),
    )
    return { view, keys, recorded }
  })
}

function keyPrefixes(
  { keyPrefix, tiledView, tilePrefix }: OnlineKeyTargets,
  view: FeatureView,
  tiles: readonly TileGeneration[],
): readonly string[] {
  if (view.kind !== 'STREAM') return [keyPrefix(view)]
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

/** Returns how many rows stood under the keys. A row of a later event than `deletedAt` stays. */
export async function writeTombstones(
  online: Pick<OnlineStore, 'readMany' | 'writeMany'>,
  keysOfViews: readonly OnlineKeys[],
  deletedAt: Micros,
): Promise<number> {
  const row = packTombstone(deletedAt)
  let count = 0
  for (const { view, keys } of keysOfViews) {
    const stood = await readAll(online, keys)
    count += stood.filter((one) => one !== null && isRow(one, deletedAt)).length
    const expiry = view.kind === 'STREAM' ? tileExpiry(view) : physicalExpiry(view.ttlMicros)
    for (const chunk of chunksOf(keys)) {
      await online.writeMany(
        chunk.map((key) => ({ key, row })),
        expiry,
      )
    }
  }
  return count
}

async function readAll(
  online: Pick<OnlineStore, 'readMany'>,
  keys: readonly string[],
): Promise<readonly (Buffer | null)[]> {
  const rows: (Buffer | null)[] = []
  for (const chunk of chunksOf(keys)) rows.push(...(await online.readMany(chunk)))
  return rows
}

/** So many keys are read or written at once. */
const keysAtOnce = 1_000

function* chunksOf(keys: readonly string[]): Generator<readonly string[]> {
  for (let start = 0; start < keys.length; start += keysAtOnce) yield keys.slice(start, start + keysAtOnce)
}

/** Closing rows and tombstones hold nothing about the entity; a row of later events stays. */
function isRow(stood: Buffer, deletedAt: Micros): boolean {
  if (stood.length < packedHeaderBytes || packedRowKind(stood) === 'ABSENT') return false
  return (readRowOrder(stood)?.[0] ?? deletedAt) <= deletedAt
}
