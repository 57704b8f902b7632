import type { Micros } from '../../../definitions/timestamp.ts'
import type { EntityKey, KeyValue, Value } from '../../../definitions/value.ts'
import { StoreFailed } from '../../../errors.ts'
import type { KeyTimeline, Span, StoredSnapshotRow } from '../../snapshot-store.ts'
import type { EventKeys } from '../../stored-event-source.ts'

type Row = readonly (Value | null)[]

/**
 * Rows of spans and of stored snapshots, both in the order of their keys → every key that either has, with all of its
 * rows, in batches of so many keys. Holds one batch and what the server sent last.
 */
export async function* keyTimelines(
  joinKeys: EventKeys,
  spanRows: AsyncIterable<readonly Row[]>,
  storedRows: AsyncIterable<readonly Row[]>,
  keysPerBatch: number,
): AsyncGenerator<KeyTimeline[]> {
  const width = joinKeys.length
  const compareKeys = keyComparison(joinKeys)
  const spans = keyGroups(spanRows, width, compareKeys)
  const stored = keyGroups(storedRows, width, compareKeys)
  let batch: KeyTimeline[] = []
  let spanGroup = await spans.next()
  let storedGroup = await stored.next()
  while (spanGroup || storedGroup) {
    const order = spanGroup && storedGroup ? compareKeys(spanGroup.key, storedGroup.key) : spanGroup ? -1 : 1
    const key = (order <= 0 ? spanGroup : storedGroup)?.key ?? []
    batch.push({
      key,
      spans: order <= 0 && spanGroup ? spanGroup.rows.map((row) => readSpan(row, width)) : [],
      ...readStored(order >= 0 && storedGroup ? storedGroup.rows : [], width),
    })
    if (order <= 0) spanGroup = await spans.next()
    if (order >= 0) storedGroup = await stored.next()
    if (batch.length === keysPerBatch) {
      yield batch
      batch = []
    }
  }
  if (batch.length > 0) yield batch
}

function readSpan(row: Row, width: number): Span {
  return { number: Number(row[width]), events: Number(row[width + 1]), cells: row.slice(width + 2) }
}

/** Newest first → oldest first, of one time the newest computed row, and whether a pushed one stands over it. */
function readStored(rows: readonly Row[], width: number): Pick<KeyTimeline, 'stored' | 'overrides'> {
  const stored: StoredSnapshotRow[] = []
  const overrides = new Map<Micros, Micros>()
  let newest: Micros | null = null
  for (const row of rows) {
    const eventTimestamp = Number(row[width])
    const [closing, created, pushed] = row.slice(-3)
    if (pushed === true) {
      if (eventTimestamp !== newest) overrides.set(eventTimestamp, Number(created))
    } else if (stored.at(-1)?.eventTimestamp !== eventTimestamp) {
      stored.push({ eventTimestamp, values: row.slice(width + 1, -3), closing: closing === true })
    }
    newest = eventTimestamp
  }
  return { stored: stored.reverse(), overrides }
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
        throw new StoreFailed(`Postgres answered keys out of order: ${String(last)} before ${String(key)}`)
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
