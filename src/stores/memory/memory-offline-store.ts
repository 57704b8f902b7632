import type { EntityKey, FeatureRow } from '../../definitions/value.ts'
import type { AsOfRow, EntityRow, OfflineStore, OfflineView } from '../offline-store.ts'

interface StoredRow extends FeatureRow {
  readonly rowId: number
}

/** The offline store in plain code: a list of rows per view and a loop over all of them. The oracle of the tests. */
export function memoryOfflineStore(): OfflineStore {
  const tables = new Map<string, StoredRow[]>()

  return {
    asOfJoin: async ({ views, rows }) =>
      views.map((view) => rows.map((row) => newestRow(tables.get(view.name) ?? [], row))),
    insertRows: async (view: OfflineView, rows) => {
      const table = tables.get(view.name) ?? []
      tables.set(view.name, table)
      return rows.map((row) => table.push({ ...row, rowId: table.length + 1 }))
    },
    ensureTables: async () => {},
    ping: async () => {},
    close: async () => tables.clear(),
  }
}

function newestRow(table: readonly StoredRow[], entityRow: EntityRow): AsOfRow | null {
  let newest: StoredRow | null = null
  for (const row of table) {
    if (!sameKey(row.key, entityRow.key)) continue
    if (row.eventTimestamp > entityRow.asOf) continue
    if (
      entityRow.knownAt !== null &&
      row.createdTimestamp !== null &&
      row.createdTimestamp > entityRow.knownAt
    )
      continue
    if (newest === null || isNewer(row, newest)) newest = row
  }
  if (newest === null) return null
  const { eventTimestamp, createdTimestamp, values } = newest
  return { eventTimestamp, createdTimestamp, values }
}

function sameKey(left: EntityKey, right: EntityKey): boolean {
  return left.length === right.length && left.every((part, index) => part === right[index])
}

function isNewer(left: StoredRow, right: StoredRow): boolean {
  if (left.eventTimestamp !== right.eventTimestamp) return left.eventTimestamp > right.eventTimestamp
  const leftCreated = left.createdTimestamp ?? Number.NEGATIVE_INFINITY
  const rightCreated = right.createdTimestamp ?? Number.NEGATIVE_INFINITY
  if (leftCreated !== rightCreated) return leftCreated > rightCreated
  return left.rowId > right.rowId
}
