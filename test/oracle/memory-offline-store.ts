import { randomUUID } from 'node:crypto'
import type { Micros } from '../../src/definitions/timestamp.ts'
import type { FeatureRow, Value } from '../../src/definitions/value.ts'
import type { ValueType } from '../../src/definitions/value-type.ts'
import { StoreFailed } from '../../src/errors.ts'
import { systemClock } from '../../src/gateway/system-clock.ts'
import type { AsOfRow, EntityRow } from '../../src/stores/as-of-reader.ts'
import type { DeletionStore } from '../../src/stores/deletion-store.ts'
import type { InsertedRowIds, InsertedRows } from '../../src/stores/feature-rows.ts'
import type { MaterializedPoint, NewestRowsScope, StoredFeatureRow } from '../../src/stores/newest-rows.ts'
import type { OfflineStore } from '../../src/stores/offline-store.ts'
import type { OfflineView } from '../../src/stores/offline-view.ts'
import type { StoredRowPlace, StoredRowRange } from '../../src/stores/stored-rows.ts'
import {
  isKnownBy,
  isNewerRow,
  isSameKey,
  type NumberedRow,
  newestRow,
} from '../../src/testing/newest-row.ts'
import { memoryDeletions } from './memory-deletions.ts'

interface StoredRow extends NumberedRow {
  readonly closing: boolean
  readonly isCurrent: boolean
}

/** Values by the features' ids: the same row is read by other versions of its view. */
type KeptRow = StoredRow & { readonly stored: ReadonlyMap<string, Value | null> }

const readBatch = 500

interface Receipt {
  readonly digest: string
  readonly rowIds: InsertedRowIds
  readonly arrival: Micros
}

export type MemoryOfflineStore = OfflineStore & { readonly deletions: DeletionStore }

/**
 * The offline store in plain code: a list of rows per view, by its id, and a loop over all of them. The oracle of the tests. It keeps
 * no events, and deletions with the keys themselves.
 */
export function memoryOfflineStore(): MemoryOfflineStore {
  const deletions = memoryDeletions()
  const tables = new Map<string, KeptRow[]>()
  const receipts = new Map<string, Receipt>()
  const systemIdentifier = randomUUID()
  let lastRowId = 0

  function rowsOf(view: OfflineView): readonly StoredRow[] {
    return (tables.get(view.id) ?? []).map(({ stored, ...row }) => ({
      ...row,
      values: view.features.map(({ id, type }) => readAs(type, stored.get(id) ?? null)),
    }))
  }

  function insert(view: OfflineView, rows: readonly FeatureRow[], dueAt?: Micros): InsertedRows {
    const table = tables.get(view.id) ?? []
    tables.set(view.id, table)
    const rowIds = rows.map((row) => {
      if (deletions.isDeleted(view, row)) return null
      lastRowId += 1
      const stored = new Map(view.features.map(({ id }, index) => [id, row.values[index] ?? null]))
      table.push({ ...row, stored, rowId: lastRowId, closing: false, isCurrent: true })
      return lastRowId
    })
    return { rowIds, newest: newestOf(view, rows, rowIds, dueAt) }
  }

  function newestOf(
    view: OfflineView,
    rows: readonly FeatureRow[],
    rowIds: InsertedRowIds,
    dueAt: Micros | undefined,
  ): readonly StoredFeatureRow[] {
    if (dueAt === undefined) return []
    const newest = new Map<string, StoredRow>()
    const keys = new Set(
      rows.filter((_, index) => rowIds[index] !== null).map(({ key }) => JSON.stringify(key)),
    )
    for (const row of rowsOf(view)) {
      const key = JSON.stringify(row.key)
      const other = newest.get(key)
      if (keys.has(key) && row.eventTimestamp <= dueAt && (!other || isNewerRow(row, other)))
        newest.set(key, row)
    }
    return [...newest.values()]
  }

  function arrivedSince(row: StoredRow, since: MaterializedPoint): boolean {
    if (since.systemIdentifier !== systemIdentifier) return true
    return row.rowId >= Number(since.snapshotXmin) || row.eventTimestamp > since.materializedUntil
  }

  function inScope(row: StoredRow, scope: NewestRowsScope): boolean {
    switch (scope.kind) {
      case 'FULL':
        return true
      case 'ARRIVED':
        return arrivedSince(row, scope.since)
      case 'RANGE':
        return (
          row.eventTimestamp >= (scope.from ?? Number.NEGATIVE_INFINITY) &&
          row.eventTimestamp < (scope.to ?? Number.POSITIVE_INFINITY)
        )
    }
  }

  return {
    now: async () => systemClock(),
    asOfJoin: async ({ views, rows }) =>
      views.map((view) => {
        if (view.kind === 'STREAM')
          throw new StoreFailed(`feature view "${view.name}" is computed from events; memory keeps no events`)
        return rows.map((row) => asOfRow(rowsOf(view), row))
      }),
    storedRows: async ({ view, ranges, first }) =>
      ranges.map((range) => {
        const knownAt = range.knownAt ?? systemClock()
        const rows = rowsOf(view)
          .filter((row) => isInRange(row, range, knownAt))
          .sort((left, right) => (isNewerRow(left, right) ? -1 : 1))
          .slice(0, first)
          .map(({ eventTimestamp, createdTimestamp, rowId, values }) => ({
            ...{ eventTimestamp, createdTimestamp, rowId: String(rowId), values },
            pushed: view.kind === 'BATCH',
          }))
        return { knownAt, rows }
      }),
    insertRows: async (view, rows, dueAt) => insert(view, rows, dueAt),
    insertRowsOnce: async (view, rows, { idempotencyKey, digest, arrival }, dueAt) => {
      const place = JSON.stringify([view.id, idempotencyKey])
      const known = receipts.get(place)
      if (known && known.digest !== digest) return { status: 'OTHER_ROWS' }
      if (known) {
        const left = rows.map((row, index) =>
          deletions.isDeleted(view, row) ? null : (known.rowIds[index] ?? null),
        )
        const newest = newestOf(view, rows, left, dueAt)
        return { status: 'REPEATED', rowIds: left, newest, arrival: known.arrival }
      }
      const inserted = insert(view, rows, dueAt)
      receipts.set(place, { digest, rowIds: inserted.rowIds, arrival })
      return { status: 'INSERTED', ...inserted, arrival }
    },
    deletedRows: async (view, rows) => rows.map((row) => deletions.isDeleted(view, row)),
    newestRows: async ({ view, now, scope }, receive) => {
      const table = rowsOf(view)
      const reading = {
        snapshotXmin: String(lastRowId + 1),
        files: null,
        systemIdentifier,
        scope: scope.kind,
        isCurrent: true,
      }
      const ofOther = scope.kind === 'ARRIVED' && scope.since.systemIdentifier !== systemIdentifier
      const read: NewestRowsScope = ofOther ? { kind: 'FULL' } : scope
      const due = table.filter((row) => row.eventTimestamp <= now)
      const scoped = due.filter((row) => inScope(row, read))
      const newest = new Map<string, StoredRow>()
      // ARRIVED chooses keys, whose newest row may be an earlier one; RANGE chooses rows.
      const keys = new Set(scoped.map((row) => JSON.stringify(row.key)))
      for (const row of read.kind === 'RANGE' ? scoped : due) {
        const key = JSON.stringify(row.key)
        const other = newest.get(key)
        if (keys.has(key) && (!other || isNewerRow(row, other))) newest.set(key, row)
      }
      const rows = [...newest.values()]
      for (let start = 0; start < rows.length; start += readBatch)
        await receive(rows.slice(start, start + readBatch))
      return { ...reading, scope: read.kind }
    },
    materializeLag: async (view, now, since) => {
      const table = tables.get(view.id) ?? []
      const waiting = table.filter(
        (row) => row.eventTimestamp <= now && (since === null || arrivedSince(row, since)),
      )
      return {
        newestEventTimestamp: extreme(table, Math.max),
        oldestNotMaterialized: extreme(waiting, Math.min),
      }
    },
    isLargerThan: async (view, rows) => (tables.get(view.id) ?? []).length > rows,
    newestOfSample: async (view, now, keys) => {
      const newest = new Map<string, StoredRow>()
      for (const row of rowsOf(view)) {
        const name = JSON.stringify(row.key)
        const known = newest.get(name)
        if (row.eventTimestamp <= now && (!known || isNewerRow(row, known))) newest.set(name, row)
      }
      return [...newest.values()].slice(0, keys)
    },
    newestKeys: async (view, now, limit) =>
      (tables.get(view.id) ?? [])
        .filter((row) => row.eventTimestamp <= now)
        .sort((left, right) => right.eventTimestamp - left.eventTimestamp)
        .slice(0, limit)
        .map((row) => row.key),
    ensureTables: async () => ({ missingColumns: [], ignoredColumns: [] }),
    ping: async () => {},
    close: async () => tables.clear(),
    deletions: deletions.store(tables),
  }
}

function isInRange(row: StoredRow, { key, from, to, after }: StoredRowRange, knownAt: Micros): boolean {
  const { eventTimestamp, createdTimestamp } = row
  if (!isSameKey(row.key, key) || eventTimestamp < from || eventTimestamp >= to) return false
  return isKnownBy(createdTimestamp, knownAt) && (after === null || isNewerRow(numbered(after, row), row))
}

function numbered({ eventTimestamp, createdTimestamp, rowId }: StoredRowPlace, row: StoredRow): StoredRow {
  return { ...row, eventTimestamp, createdTimestamp, rowId: Number(rowId) }
}

/** Out of a narrower type's range is null. */
function readAs(type: ValueType, value: Value | null): Value | null {
  if (value === null || (type !== 'int32' && type !== 'float32')) return value
  const number = type === 'int32' ? Number(value) : Math.fround(Number(value))
  const [least, most] = type === 'int32' ? [-(2 ** 31), 2 ** 31 - 1] : [-Number.MAX_VALUE, Number.MAX_VALUE]
  return number >= least && number <= most ? number : null
}

function extreme(
  rows: readonly StoredRow[],
  choose: (...events: readonly Micros[]) => Micros,
): Micros | null {
  return rows.length === 0 ? null : choose(...rows.map((row) => row.eventTimestamp))
}

function asOfRow(table: readonly StoredRow[], entityRow: EntityRow): AsOfRow | null {
  const newest = newestRow(table, entityRow)
  if (newest === null) return null
  const { eventTimestamp, createdTimestamp, values, closing } = newest
  return { eventTimestamp, createdTimestamp, values, closing }
}
