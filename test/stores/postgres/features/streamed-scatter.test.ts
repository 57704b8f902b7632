import fc from 'fast-check'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PostgresSource } from '../../../../src/definitions/data-source.ts'
import type { EntityKey, FeatureRow } from '../../../../src/definitions/value.ts'
import type { AsOfEntry, EntityRow } from '../../../../src/stores/as-of-reader.ts'
import type { OfflineStore } from '../../../../src/stores/offline-store.ts'
import type { StoredOfflineView } from '../../../../src/stores/offline-view.ts'
import {
  type ScatteredView,
  streamedScatter,
} from '../../../../src/stores/postgres/features/streamed-scatter.ts'
import { managedTable } from '../../../../src/stores/postgres/tables/feature-table.ts'
import { allTypes, at, neverAborted, offlineView } from '../../../contract/offline-store.ts'
import { memoryOfflineStore } from '../../../oracle/memory-offline-store.ts'
import { createTestDatabase, type TestDatabase } from '../../../services/test-database.ts'
import { testOfflineStore, testPool } from '../../../services/test-pool.ts'

const t = at('2026-11-20T12:00:00.123456Z')
/** Few, so that ties and exact hits are common. */
const moment = fc
  .constantFrom(-86_400_000_000, -2, -1, 0, 1, 2, 1_000_000, 3_600_000_000)
  .map((offset) => t + offset)

let database: TestDatabase
let pool: pg.Pool
let store: OfflineStore
let nonFinite = 0
const countNonFinite = (): void => {
  nonFinite += 1
}
beforeAll(async () => {
  database = await createTestDatabase()
  pool = testPool(database.url, 2)
  store = testOfflineStore(database.url, { countNonFinite })
})
afterAll(async () => {
  await Promise.all([pool.end(), store.close()])
  await database.drop()
})

function plain(view: StoredOfflineView): ScatteredView {
  if (view.kind !== 'PLAIN') throw new Error(`${view.name} is no plain view`)
  return view
}

/** Entity rows whose keys stand side by side. */
function byKey(rows: readonly EntityRow[]): readonly EntityRow[] {
  const name = ({ key }: EntityRow): string => JSON.stringify(key)
  return [...rows].sort((left, right) => (name(left) < name(right) ? -1 : name(left) > name(right) ? 1 : 0))
}

async function scattered(
  view: StoredOfflineView,
  rows: readonly EntityRow[],
  visibleIn: string | null = null,
): Promise<readonly AsOfEntry[]> {
  const client = await pool.connect()
  try {
    await client.query('begin')
    const options = { client, project: 'default', visibleIn, countNonFinite }
    const answer = await streamedScatter(options, plain(view), rows)
    await client.query('commit')
    return answer
  } finally {
    client.release()
  }
}

describe('feature rows that are read unsorted', () => {
  it.each([
    [
      'numbers',
      { a: 'int64', b: 'int32' },
      [
        [1, 12],
        [11, 2],
        [1, 2],
        ['9007199254740993', 0],
        ['9007199254740992', 0],
        [-1, -12],
      ],
      [
        [112, 0],
        ['9223372036854775807', 12],
      ],
    ],
    [
      'texts',
      { a: 'string', b: 'string' },
      [
        ['a', 'b'],
        ['a,b', ''],
        ['', 'a,b'],
        ['"', '\\'],
        ["o'clock", '{😀}'],
        ['NULL', 'null'],
      ],
      [
        ['b', 'a'],
        ['ab', ''],
      ],
    ],
  ] as const)(
    'answer as the oracle does under keys of %s: ties, late rows, duplicates, unknown keys, one moment of knowing',
    async (name, joinKeys, keys, unknown) => {
      const view = offlineView(`scattered_${name}`, joinKeys, { n: 'int64', x: 'float64', text: 'string' })
      await store.ensureTables([view], [])
      const key = fc.constantFrom<EntityKey>(...keys)
      const history = fc.array(fc.record({ key, event: moment, created: fc.option(moment) }), {
        minLength: 1,
        maxLength: 150,
        size: 'max',
      })
      const asked = fc.record({
        key: fc.oneof({ arbitrary: key, weight: 9 }, fc.constantFrom<EntityKey>(...unknown)),
        asOf: moment,
      })
      let found = 0
      const property = fc.asyncProperty(
        history,
        fc.array(asked, { minLength: 1, maxLength: 100, size: 'max' }),
        fc.option(moment),
        async (past, questions, knownAt) => {
          const oracle = memoryOfflineStore()
          await pool.query(`truncate ${managedTable('default', view)}`)
          const rows = past.map(({ key: own, event, created }, n): FeatureRow => {
            const values = [n, n % 5 === 0 ? null : n / 3, `row ${n}`]
            return { key: own, eventTimestamp: event, createdTimestamp: created, values }
          })
          await oracle.insertRows(view, rows)
          await store.insertRows(view, rows)
          const entityRows = byKey(questions.map((question) => ({ ...question, knownAt })))
          const [expected] = await oracle.asOfJoin(
            { views: [view], rows: entityRows, visibleIn: null },
            neverAborted,
          )
          const answered = await scattered(view, entityRows)
          expect(answered).toEqual(expected)
          found += answered.filter((row) => row !== null).length
        },
      )
      await fc.assert(property, { numRuns: 15 })
      expect(found).toBeGreaterThan(50)
    },
  )

  it('answer values of every type, moments of knowing of each row, and none of a transaction that was not seen', async () => {
    const view = offlineView('scattered_types', { id: 'string' }, allTypes)
    await store.ensureTables([view], [])
    const values = view.features.map(({ type }) => {
      if (type.endsWith('[]')) return []
      if (type === 'uuid') return '123e4567-e89b-12d3-a456-426614174000'
      if (type === 'bytes') return Buffer.from([0, 255])
      if (type === 'bool') return true
      return type === 'string' ? 'ä😀' : 1
    })
    const nulls = values.map(() => null)
    const row = (event: number, created: number | null, own: FeatureRow['values']): FeatureRow => ({
      ...{ key: ['ü'], eventTimestamp: t + event, createdTimestamp: created },
      values: own,
    })
    await store.insertRows(view, [row(0, null, values), row(5, t + 9, nulls)])
    const before = await pool.query<{ seen: string }>('select pg_current_snapshot()::text as seen')
    await store.insertRows(view, [row(6, null, values)])
    const rows = [4, 5, 7, 7].map(
      (asOf, index): EntityRow => ({
        ...{ key: ['ü'], asOf: t + asOf, knownAt: index === 2 ? t + 8 : null },
      }),
    )
    for (const visibleIn of [null, before.rows[0]?.seen ?? null])
      for (const asked of [rows, rows.filter(({ knownAt }) => knownAt === null)]) {
        const [expected] = await store.asOfJoin({ views: [view], rows: asked, visibleIn }, neverAborted)
        expect(await scattered(view, asked, visibleIn)).toEqual(expected)
        expect(expected?.at(-1)).toMatchObject({ eventTimestamp: visibleIn === null ? t + 6 : t + 5 })
      }
  })

  it.each(['bigint', 'uuid', 'text', 'none'])(
    'answer a mapped table without an index as probes do: row ids of type %s, infinite times, numbers that are none',
    async (rowId) => {
      const table = `mapped_${rowId}`
      const id = {
        bigint: '(nullif(i, 50) - 60)::bigint',
        uuid: `md5(i::text)::uuid`,
        text: `(array['b', 'B', 'a', 'ä'])[1 + i % 4] || i`,
        none: 'i',
      }[rowId]
      await pool.query(
        `create table public.${table} as select ('00000000-0000-4000-8000-00000000000' || i % 7)::uuid as who, ${id} as rid,
           case i when 3 then '-infinity' when 4 then 'infinity' else timestamp '2026-11-20 12:00' + i / 30 * interval '1 second' end as ts,
           case when i % 3 = 0 then null when i = 100 then 'infinity' when i = 101 then '-infinity' else timestamptz '2026-11-20 12:00Z' + i / 50 * interval '1 second' end as seen,
           case when i % 5 = 0 then 'NaN' else i::float8 end as n
         from generate_series(1, 200) as i`,
      )
      const source: PostgresSource = {
        ...{ kind: 'postgres', name: table, table: `public.${table}`, eventTimestamp: 'ts' },
        ...{ createdTimestamp: 'seen', columns: { id: 'who', number: 'n' } },
        ...(rowId === 'none' ? {} : { rowId: 'rid' }),
      }
      const view = offlineView(table, { id: 'string' }, { number: 'float64' }, source)
      const noon = at('2026-11-20T12:00:00Z')
      for (const knownAt of [null, noon + 1_000_000]) {
        const rows = [0, 1, 2, 3, 4, 5, 6, 9].flatMap((who) =>
          [-1, 0, 1_000_000, 2_500_000, 6_000_000].map(
            (after): EntityRow => ({
              ...{ key: [`00000000-0000-4000-8000-00000000000${who}`], asOf: noon + after, knownAt },
            }),
          ),
        )
        nonFinite = 0
        const [expected] = await store.asOfJoin({ views: [view], rows, visibleIn: null }, neverAborted)
        const counted = nonFinite
        nonFinite = 0
        const answered = await scattered(view, rows)
        const shown = (entries: readonly AsOfEntry[] | undefined) =>
          // Without a row id, of rows of equal times any may answer.
          rowId === 'none' ? entries?.map((entry) => entry && { ...entry, values: [] }) : entries
        expect(shown(answered)).toEqual(shown(expected))
        expect(answered.filter((entry) => entry !== null).length).toBeGreaterThan(20)
        if (rowId !== 'none') expect([nonFinite, nonFinite > 0]).toEqual([counted, true])
      }
    },
  )
})
