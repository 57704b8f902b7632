import type { EntityKey, KeyValue, Value } from '../definitions/value.ts'
import { StoreFailed } from '../errors.ts'
import type { ComputedRow, Span, StoredTime, Timeline } from './snapshot-store.ts'
import type { EventKeys } from './stored-event-source.ts'

type Row = readonly (Value | null)[]

/**
 * Rows that were found and stored snapshots, both in the order of their keys → every key that either has, with all of its
 * rows, in batches of so many keys. `read` takes a found row apart, whose key is its first `width` columns. Holds one batch
 * and what the server sent last. @throws StoreFailed for keys out of order.
 */
export async function* keyTimelines<Found>(
  joinKeys: EventKeys,
  { rows, read }: { readonly rows: AsyncIterable<readonly Row[]>; readonly read: ReadFound<Found> },
  storedRows: AsyncIterable<readonly Row[]>,
  keysPerBatch: number,
): AsyncGenerator<Timeline<Found>[]> {
  const width = joinKeys.length
  const compareKeys = keyComparison(joinKeys)
  const found = keyGroups(rows, width, compareKeys)
  const stored = keyGroups(storedRows, width, compareKeys)
  let batch: Timeline<Found>[] = []
  let foundGroup = await found.next()
  let storedGroup = await stored.next()
  while (foundGroup || storedGroup) {
    const order =
      foundGroup && storedGroup ? compareKeys(foundGroup.key, storedGroup.key) : foundGroup ? -1 : 1
    const key = (order <= 0 ? foundGroup : storedGroup)?.key ?? []
    batch.push({
      key,
      found: order <= 0 && foundGroup ? foundGroup.rows.map((row) => read(row, width)) : [],
      stored: readStored(order >= 0 && storedGroup ? storedGroup.rows : [], width),
    })
    if (order <= 0) foundGroup = await found.next()
    if (order >= 0) storedGroup = await stored.next()
    if (batch.length === keysPerBatch) {
      yield batch
      batch = []
    }
  }
  if (batch.length > 0) yield batch
}

type ReadFound<Found> = (row: Row, width: number) => Found

export const readSpan: ReadFound<Span> = (row, width) => ({
  number: Number(row[width]),
  events: Number(row[width + 1]),
  cells: row.slice(width + 2),
})

/** Columns as `SnapshotStore.take` has them. */
export function readComputed(features: number): ReadFound<ComputedRow> {
  return (row, width) => {
    const closing = width + 1 + features
    return {
      eventTimestamp: Number(row[width]),
      values: row.slice(width + 1, closing),
      closing: row[closing] === true,
      tolerances: row.slice(closing + 1) as (number | null)[],
    }
  }
}

/** Newest first → oldest first, of one time the newest computed row, and whether a pushed one stands over it. */
function readStored(rows: readonly Row[], width: number): readonly StoredTime[] {
  const stored: StoredTime[] = []
  for (const row of rows) {
    const eventTimestamp = Number(row[width])
    const [closing, created, pushed] = row.slice(-3)
    const computed = pushed === true ? null : { values: row.slice(width + 1, -3), closing: closing === true }
    const newer = stored.at(-1)
    if (newer?.eventTimestamp !== eventTimestamp)
      stored.push({ eventTimestamp, computed, pushedAt: pushed === true ? Number(created) : null })
    else if (newer.computed === null) stored[stored.length - 1] = { ...newer, computed }
  }
  return stored.reverse()
}

interface KeyGroup {
  readonly key: EntityKey
  readonly rows: Row[]
}

/** Rows with the same key, one key after the other. */
function keyGroups(
  source: AsyncIterable<readonly Row[]>,
  width: number,
  compareKeys: CompareKeys,
): { readonly next: () => Promise<KeyGroup | null> } {
  const iterator = source[Symbol.asyncIterator]()
  let rows: readonly Row[] = []
  let place = 0
  let last: EntityKey | null = null

  async function peek(): Promise<Row | null> {
    while (place === rows.length) {
      const next = await iterator.next()
      if (next.done === true) return null
      rows = next.value
      place = 0
    }
    return rows[place] ?? null
  }

  return {
    async next() {
      const row = place < rows.length ? rows[place] : await peek()
      if (!row) return null
      const key = row.slice(0, width) as KeyValue[]
      // A collation or a plan that nobody thought of: two halves of a key would be taken for two keys.
      if (last !== null && compareKeys(last, key) >= 0)
        throw new StoreFailed(`keys came out of order: ${String(last)} before ${String(key)}`)
      last = key
      const group: KeyGroup = { key, rows: [] }
      for (;;) {
        const other = place < rows.length ? rows[place] : await peek()
        if (!other || !startsWith(other, key)) return group
        group.rows.push(other)
        place += 1
      }
    },
  }
}

function startsWith(row: Row, key: EntityKey): boolean {
  for (let index = 0; index < key.length; index += 1) if (row[index] !== key[index]) return false
  return true
}

type CompareKeys = (left: EntityKey, right: EntityKey) => number

/** Integers by size, also those beyond 2^53, which are strings of digits; strings and UUIDs by their bytes in UTF-8. */
function keyComparison(joinKeys: EventKeys): CompareKeys {
  return (left, right) => {
    for (const [index, { type }] of joinKeys.entries()) {
      const [a, b] = [left[index] ?? 0, right[index] ?? 0]
      if (a === b) continue
      if (type === 'string' || type === 'uuid')
        return Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b)))
      if (typeof a === 'number' && typeof b === 'number') return a - b
      return BigInt(a) < BigInt(b) ? -1 : 1
    }
    return 0
  }
}
