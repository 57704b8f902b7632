import type { EntityKey } from '../../definitions/value.ts'
import { DeletionUnfinished, StoreFailed } from '../../errors.ts'
import type { Entity, Registry } from '../../registry/registry.ts'
import type { DeletionStore } from '../../stores/deletion-store.ts'
import type { OnlineStore } from '../../stores/online-store.ts'
import type { TileGenerations } from '../../stores/tile-generations.ts'
import { retryStore, type Sleep } from '../retry.ts'
import { type DeletionReceipt, deletionCounts, notReached } from './deletion-receipt.ts'
import { deletionScope } from './deletion-scope.ts'
import {
  newestOnline,
  type OnlineKeys,
  type OnlineKeyTargets,
  onlineKeysOf,
  writeTombstones,
} from './online-rows.ts'
import { setMarkersBack, storedUntil, type TileMarkerTargets } from './tile-markers.ts'

export interface DeletionTargets extends OnlineKeyTargets, TileMarkerTargets {
  readonly deletions: DeletionStore
  readonly online: OnlineStore
  readonly renewedPrefixOf: (viewId: string) => Promise<string>
  readonly generations: Pick<TileGenerations, 'list' | 'retireOthers'>
}

export interface DeletionOptions {
  readonly sleep: Sleep
  /** How long to wait for transactions that began before; null: until they end. */
  readonly waitMs: number | null
  /** Such transactions are waited for. */
  readonly onWait: () => void
}

/** Deletes with targets that are bound. */
export type DeleteEntity = (entity: Entity, key: EntityKey) => Promise<DeletionReceipt>

const pollMs = 50

/**
 * Deletes an entity from every view and event source that has all of its join keys: its rows and events are gone from the
 * offline store, tombstones stand in the online store, and no way in takes anything of it up to `deletedAt`. That is the
 * present by the database's clock, or later where a row online is. May be stopped anywhere and run again; an unknown key is
 * recorded too.
 * @throws StoreFailed when the offline store does not answer; DeletionUnfinished when the deletion is recorded, and the
 * online store or an older transaction keeps it from being complete.
 */
export async function deleteEntity(
  targets: DeletionTargets,
  registry: Registry,
  entity: Entity,
  key: EntityKey,
  options: DeletionOptions,
): Promise<DeletionReceipt> {
  const { deletions, events, online } = targets
  const scope = deletionScope(registry, entity, key)
  const before = await storedUntil(targets, scope)
  const newest = await newestOnline(online, await onlineKeysOf(targets, scope)).catch(nothingKnown)
  const { deletedAt, unaware } = await deletions.record(scope, Math.max(await events.now(), newest))
  const counts = deletionCounts(scope, online.name)

  counts.add(await deletions.erase(scope, deletedAt))
  const write = async (keys: readonly OnlineKeys[]): Promise<void> =>
    counts.addOnline(await writeTombstones(targets, keys, deletedAt))
  const retried = (attempt: () => Promise<void>): Promise<void> =>
    retryStore(options.sleep, attempt, (tries, cause) => {
      const message = `the deletion of this ${entity.name} is recorded and done offline, but the online store did not answer in ${tries} tries; delete it again to complete it`
      return new DeletionUnfinished(message, { cause })
    })
  // Most is gone at once; a store that is away now may be back when the older transactions have ended.
  await write(await onlineKeysOf(targets, scope)).catch(nothingKnown)
  await untilEnded(deletions, unaware, entity, options)
  counts.add(await deletions.erase(scope, deletedAt))
  // Nobody writes rows of views that were removed: they are filled anew, from what is left, when they are defined again.
  for (const id of await deletions.removedViews(scope)) await targets.renewedPrefixOf(id)
  await targets.generations.retireOthers(
    registry.views.map(({ id }) => id),
    deletedAt,
  )
  const keys = await onlineKeysOf(targets, scope)
  await retried(() => write(keys))
  // Events that were applied since then lie under the tombstones with the rest.
  await retried(() => setMarkersBack(targets, before))
  const recorded = keys.flatMap((one) => one.recorded)
  if (recorded.length > 0) await deletions.forgetOnlineKeys(scope, recorded)
  return { entity: entity.name, deletedAt, counts: counts.all(), notReached: notReached(scope) }
}

function nothingKnown(error: unknown): number {
  if (!(error instanceof StoreFailed)) throw error
  return Number.NEGATIVE_INFINITY
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
