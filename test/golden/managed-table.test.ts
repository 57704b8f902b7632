import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { StoredOfflineView } from '../../src/stores/offline-view.ts'
import { insertRowsSql } from '../../src/stores/postgres/features/insert-rows.ts'
import { createTable } from '../../src/stores/postgres/tables/feature-table.ts'
import { allTypes, at, offlineView } from '../contract/offline-store.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { testPool } from '../services/test-pool.ts'
import { expectGolden, goldenFiles } from './golden-file.ts'

const cases: readonly {
  readonly name: string
  readonly project: string
  readonly view: StoredOfflineView
}[] = [
  {
    name: 'fixed-size-features',
    project: 'default',
    view: offlineView(
      'driver_hourly',
      { driver_id: 'int64' },
      { trips_today: 'int32', conv_rate: 'float64' },
    ),
  },
  {
    name: 'composite-key-in-a-project',
    project: 'fraud',
    view: offlineView('pair_counts', { merchant_id: 'string', device_id: 'int32' }, { n: 'int64' }),
  },
  {
    name: 'renamed-and-widened',
    project: 'default',
    view: {
      ...offlineView('trips', { driver_id: 'int64' }, {}),
      name: 'rides',
      features: [
        {
          ...{ name: 'rides', id: 'n', type: 'int64' },
          columns: [
            { name: 'n__int64', type: 'int64' },
            { name: 'n', type: 'int32' },
          ],
        },
      ],
    },
  },
  {
    name: 'all-value-types',
    project: 'default',
    view: offlineView('every_type', { key: 'string' }, allTypes),
  },
]

describe('the SQL of a managed table', () => {
  let database: TestDatabase
  let pool: pg.Pool

  beforeAll(async () => {
    database = await createTestDatabase()
    pool = testPool(database.url, 1)
    await pool.query('create schema features; create schema features_fraud')
  })
  afterAll(async () => {
    await pool.end()
    await database.drop()
  })

  it.each(cases)('is what is committed, and runs, again too: $name', async ({ name, project, view }) => {
    const statements = createTable(project, view)
    await expectGolden(`managed-table/${name}.create.sql`, `${statements.join(';\n')};\n`)
    for (const statement of [...statements, ...statements]) await pool.query(statement)

    const key = view.entity.joinKeys.map((joinKey) => (joinKey.type === 'string' ? 'a' : 1))
    const row = {
      key,
      eventTimestamp: at('2026-11-20T12:00:00Z'),
      createdTimestamp: null,
      values: view.features.map(() => null),
    }
    const insert = insertRowsSql(project, view, [row, row])
    await expectGolden(`managed-table/${name}.insert.sql`, `${insert.text}\n`)
    const { rows } = await pool.query(insert.text, [...insert.values])
    expect(rows).toEqual([{ row_id: '1' }, { row_id: '2' }])
    expect(insertRowsSql(project, view, [row]).text).toBe(insert.text)
  })

  it('has a case for every committed file', async () => {
    const expected = cases.flatMap(({ name }) => [`${name}.create.sql`, `${name}.insert.sql`])
    expect(await goldenFiles('managed-table')).toEqual(expected.sort())
  })
})
