import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { foundRowStatus } from '../../src/definitions/row-status.ts'
import { formatTimestamp, type Micros } from '../../src/definitions/timestamp.ts'
import type { EntityKey, FeatureRow } from '../../src/definitions/value.ts'
import type { AsOfReader, EntityRow } from '../../src/stores/as-of-reader.ts'
import { isParquet, type StoredOfflineView } from '../../src/stores/offline-view.ts'
import { managedTable } from '../../src/stores/postgres/tables/feature-table.ts'
import { arbitraryString, arbitraryValue } from '../contract/arbitrary-value.ts'
import { allTypes, at, neverAborted, offlineView } from '../contract/offline-store.ts'
import { memoryOfflineStore } from '../oracle/memory-offline-store.ts'
import { joinsBothWays } from '../services/joins-both-ways.ts'
import { type FileRow, openParquetFiles, openParquetRows } from '../services/parquet-files.ts'
import { createTestDatabase } from '../services/test-database.ts'
import { testOfflineStore, testPool } from '../services/test-pool.ts'

const t = at('2026-11-20T12:00:00.123456Z')

/** Few moments, so that ties and exact hits are common; single microseconds and whole days apart. */
const moment: fc.Arbitrary<Micros> = fc
  .constantFrom(-86_400_000_000, -1_000_000, -2, -1, 0, 1, 2, 999, 1_000_000, 3_600_000_000)
  .map((offset) => t + offset)

const compositeKey: fc.Arbitrary<EntityKey> = fc.constantFrom<EntityKey>(
  [1, 12],
  [11, 2],
  [1, 2],
  [12, 1],
  ['9007199254740993', 0],
  ['9007199254740992', 0],
  [-1, -12],
)
const unknownKey = fc.constantFrom<EntityKey>([112, 0], [0, 112], ['9223372036854775807', 12])

/** A backend that rows can be put into, and what ends it. */
interface HistoryStore {
  readonly store: Pick<AsOfReader, 'asOfJoin'>
  /** Views without rows, once for each history. */
  readonly empty: (views: readonly StoredOfflineView[]) => Promise<readonly StoredOfflineView[]>
  readonly insert: (view: StoredOfflineView, rows: readonly FeatureRow[]) => Promise<unknown>
  readonly close: () => Promise<void>
}

async function inPostgres(): Promise<HistoryStore> {
  const database = await createTestDatabase()
  const pool = testPool(database.url, 1)
  const store = joinsBothWays(database.url, testOfflineStore(database.url))
  const made = new Set<string>()
  return {
    store,
    async empty(views) {
      const missing = views.filter(({ id }) => !made.has(id))
      if (missing.length > 0) await store.ensureTables(missing, [])
      for (const { id } of missing) made.add(id)
      await pool.query(`truncate ${views.map((view) => managedTable('default', view)).join(', ')}`)
      return views
    },
    insert: store.insertRows,
    async close() {
      await Promise.all([pool.end(), store.close()])
      await database.drop()
    },
  }
}

/** A file for each day of each batch, in partitions that the source declares. */
async function inFiles(): Promise<HistoryStore> {
  const files = await openParquetFiles()
  const store = openParquetRows()
  let [histories, rowId] = [0, 0]
  const write = async (view: StoredOfflineView, rows: readonly FeatureRow[]): Promise<void> => {
    if (!isParquet(view)) throw new TypeError('a view of files was expected')
    const days = new Map<string, FileRow[]>()
    for (const row of rows) {
      rowId += 1
      const day = formatTimestamp(row.eventTimestamp).slice(0, 10)
      days.set(day, [...(days.get(day) ?? []), { ...row, rowId }])
    }
    for (const [day, some] of days) await files.write(view, `day=${day}/${rowId}.parquet`, some)
  }
  return {
    store,
    async empty(views) {
      histories += 1
      const empty = views.map((view) => ({
        ...view,
        ...files.view(`${view.name}_${histories}`, {}, {}, { partitions: { day: 'day' } }),
        ...{ name: view.name, entity: view.entity, features: view.features },
      }))
      for (const view of empty) await files.write(view, 'day=1970-01-01/none.parquet', [])
      return empty
    },
    insert: write,
    async close() {
      await store.close()
      await files.close()
    },
  }
}

describe.each([
  ['Postgres', inPostgres],
  ['Parquet files', inFiles],
] as const)('the as-of join of %s', (_name, open) => {
  let history: HistoryStore

  beforeAll(async () => {
    history = await open()
  })
  afterAll(() => history?.close())

  interface Insert {
    readonly view: StoredOfflineView
    readonly rows: readonly FeatureRow[]
  }

  /** Both stores with the same history, written in the same batches; then their answers. */
  async function bothAnswers(
    views: readonly StoredOfflineView[],
    inserts: readonly Insert[],
    rows: readonly EntityRow[],
  ) {
    const oracle = memoryOfflineStore()
    const own = await history.empty(views)
    for (const { view, rows: batch } of inserts) {
      await oracle.insertRows(view, batch)
      await history.insert(own[views.indexOf(view)] ?? view, batch)
    }
    return {
      expected: await oracle.asOfJoin({ views, rows, visibleIn: null }, neverAborted),
      answered: await history.store.asOfJoin({ views: own, rows, visibleIn: null }, neverAborted),
    }
  }

  it('answers every history as the oracle does: ties, late rows, composite keys, duplicates, unknown keys', async () => {
    const joinKeys = { a: 'int64', b: 'int32' } as const
    const one = offlineView('history_one', joinKeys, { n: 'int64', x: 'float64' })
    const two = offlineView('history_two', joinKeys, { text: 'string' })
    const times = fc.record({ key: compositeKey, event: moment, created: fc.option(moment) })
    const batch = fc.record({
      second: fc.boolean(),
      rows: fc.array(times, { minLength: 1, maxLength: 60, size: 'max' }),
    })
    const entityRow = fc.record({
      key: fc.oneof({ arbitrary: compositeKey, weight: 9 }, unknownKey),
      asOf: moment,
      knownAt: fc.option(moment),
    })
    let found = 0
    const property = fc.asyncProperty(
      fc.array(batch, { minLength: 1, maxLength: 8, size: 'max' }),
      fc.array(entityRow, { minLength: 1, maxLength: 150, size: 'max' }),
      async (batches, rows) => {
        let n = 0
        const inserts = batches.map(
          ({ second, rows: batchRows }): Insert => ({
            view: second ? two : one,
            rows: batchRows.map(({ key, event, created }) => {
              // By a number of its own every row differs from every other.
              n += 1
              const values = second ? [`row ${n}`] : [n, n % 5 === 0 ? null : n / 3]
              return { key, eventTimestamp: event, createdTimestamp: created, values }
            }),
          }),
        )
        const { expected, answered } = await bothAnswers([one, two], inserts, rows)
        expect(answered.map((view) => view.length)).toEqual([rows.length, rows.length])
        expect(answered).toEqual(expected)
        found += answered.flat().filter((row) => row !== null).length
      },
    )
    await fc.assert(property, { numRuns: 25 })
    // Else the property would hold for a store that finds nothing.
    expect(found).toBeGreaterThan(1_000)
  })

  it('answers values of every type, under string keys with every odd character', async () => {
    const view = offlineView('history_types', { id: 'string', other: 'string' }, allTypes)
    const values = fc.tuple(
      ...view.features.map((feature) => fc.option(arbitraryValue(feature.type), { freq: 6 })),
    )
    const key = fc.tuple(arbitraryString, arbitraryString)
    const rows = fc.array(fc.record({ key, event: moment, created: fc.option(moment), values }), {
      minLength: 1,
      maxLength: 40,
      size: 'max',
    })
    const property = fc.asyncProperty(rows, moment, async (stored, asOf) => {
      const featureRows = stored.map(({ event, created, ...rest }) => ({
        ...rest,
        eventTimestamp: event,
        createdTimestamp: created,
      }))
      const half = featureRows.length >> 1
      const inserts = [featureRows.slice(0, half), featureRows.slice(half)].map((batch) => ({
        view,
        rows: batch,
      }))
      const asked = stored.flatMap((row): EntityRow[] => [
        { key: row.key, asOf: row.event, knownAt: null },
        { key: row.key, asOf, knownAt: row.created },
        { key: [row.key[1], row.key[0]], asOf, knownAt: null },
      ])
      const { expected, answered } = await bothAnswers([view], inserts, asked)
      expect(answered).toEqual(expected)
    })
    await fc.assert(property, { numRuns: 20 })
  })
})

describe('the edge of the ttl', () => {
  it.each([
    ['at the event', 0, 'PRESENT'],
    ['at the last microsecond', 3_600_000_000, 'PRESENT'],
    ['a microsecond later', 3_600_000_001, 'OUTSIDE_TTL'],
    ['ahead of the clock', -5, 'PRESENT'],
  ] as const)('is %s: an age of %d µs under a ttl of an hour is %s', (_where, age, status) => {
    expect(foundRowStatus(t, t + age, 3_600_000_000, null)).toBe(status)
    expect(foundRowStatus(t, t + age, null, 3_600_000_000)).toBe(status)
    expect(foundRowStatus(t, t + age, 3_600_000_000, 3_600_000_000)).toBe(status)
    expect(foundRowStatus(t, t + age, null, null)).toBe('PRESENT')
  })

  it('is the tighter one of ttl and maxAge, for any of them', () => {
    const bound = fc.option(fc.nat(20))
    fc.assert(
      fc.property(fc.integer({ min: -3, max: 25 }), bound, bound, (age, ttl, maxAge) => {
        const tighter = Math.min(ttl ?? Number.POSITIVE_INFINITY, maxAge ?? Number.POSITIVE_INFINITY)
        expect(foundRowStatus(t, t + age, ttl, maxAge)).toBe(age <= tighter ? 'PRESENT' : 'OUTSIDE_TTL')
      }),
    )
  })
})
