import { concernsEntity } from '../../src/definitions/concerns-entity.ts'
import type { Micros } from '../../src/definitions/timestamp.ts'
import type { EntityKey, FeatureRow, KeyValue } from '../../src/definitions/value.ts'
import {
  type DeletionStore,
  type EntityToDelete,
  type OnlineKey,
  sameKey,
} from '../../src/stores/deletion-store.ts'
import type { OfflineView } from '../../src/stores/offline-view.ts'

type DatedRow = Pick<FeatureRow, 'key' | 'eventTimestamp'>

interface MemoryDeletions {
  readonly isDeleted: (view: OfflineView, row: DatedRow) => boolean
  /** Over rows by the id of their view. */
  readonly store: (tables: ReadonlyMap<string, FeatureRow[]>) => DeletionStore
}

/** Deletions in plain code, inside one process: a list of what was deleted until when. Nothing is ever under way here. */
export function memoryDeletions(): MemoryDeletions {
  const recorded: { readonly deletion: EntityToDelete; readonly deletedAt: Micros }[] = []
  const remembered = new Map<string, OnlineKey>()

  return {
    isDeleted: (view, row) =>
      recorded.some(
        ({ deletion, deletedAt }) => row.eventTimestamp <= deletedAt && isOf(deletion, view, row.key),
      ),
    store: (tables) => ({
      record: async (deletion, deletedAt) => {
        const { id } = deletion.entity
        const earlier = recorded.flatMap((one) =>
          one.deletion.entity.id === id && String(one.deletion.key) === String(deletion.key)
            ? [one.deletedAt]
            : [],
        )
        const stands = Math.max(deletedAt, ...earlier)
        recorded.push({ deletion, deletedAt: stands })
        return { deletedAt: stands, unaware: [] }
      },
      haveEnded: async () => true,
      erase: async (deletion, deletedAt) =>
        deletion.views
          .filter(({ source }) => source === null)
          .map((view) => {
            const table = tables.get(view.id) ?? []
            const left = table.filter((row) => !isOf(deletion, view, row.key) || !stoodBy(row, deletedAt))
            const gone = table.filter((row) => !left.includes(row))
            for (const { key } of gone) rememberKey(deletion, view, key)
            table.splice(0, table.length, ...left)
            return { place: `features.${view.id}`, rows: gone.length }
          }),
      onlineKeys: async (deletion) => {
        for (const view of deletion.views)
          for (const { key } of tables.get(view.id) ?? [])
            if (isOf(deletion, view, key)) rememberKey(deletion, view, key)
        const names = new Map(deletion.views.map((view) => [view.id, view]))
        return [...remembered.values()].filter(({ view, key }) => {
          const known = names.get(view)
          return known !== undefined && isOf(deletion, known, key)
        })
      },
      // Memory keeps no rows of views that it is not asked for.
      removedViews: async () => [],
      forgetOnlineKeys: async (_, keys) => {
        for (const one of keys) remembered.delete(JSON.stringify(one))
      },
    }),
  }

  function rememberKey(
    deletion: EntityToDelete,
    view: EntityToDelete['views'][number],
    key: EntityKey,
  ): void {
    if (!view.online || sameKey(deletion, view) !== null) return
    const one = { view: view.id, key }
    remembered.set(JSON.stringify(one), one)
  }
}

/** It happened by then, or was known by then. */
function stoodBy({ eventTimestamp, createdTimestamp }: FeatureRow, moment: Micros): boolean {
  return eventTimestamp <= moment || createdTimestamp === null || createdTimestamp <= moment
}

function isOf({ entity, key }: EntityToDelete, view: OfflineView, rowKey: EntityKey): boolean {
  const { joinKeys } = view.entity
  if (!concernsEntity(joinKeys, entity.joinKeys)) return false
  const partOf = (name: string): KeyValue | undefined =>
    rowKey[joinKeys.findIndex((joinKey) => joinKey.name === name)]
  return entity.joinKeys.every(({ name }, place) => partOf(name) === key[place])
}
