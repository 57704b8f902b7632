import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import fc from 'fast-check'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { EntityKey } from '../../../src/definitions/value.ts'
import { buildRegistry } from '../../../src/registry/build-registry.ts'
import { findRowsBy } from '../../../src/stores/duckdb/joins/find-rows.ts'
import type { OfflineStore } from '../../../src/stores/offline-store.ts'
import { postgresAsOfSnapshots } from '../../../src/stores/postgres/features/as-of-snapshot.ts'
import { eventTable } from '../../../src/stores/postgres/tables/event-table.ts'
import { managedTable } from '../../../src/stores/postgres/tables/feature-table.ts'
import { createTestDatabase, type TestDatabase } from '../../services/test-database.ts'
import { testOfflineStore, testPool } from '../../services/test-pool.ts'
import { inFileForm } from '../window-sql/compare-snapshots.ts'
import { storePlacedEvents } from '../window-sql/store-events.ts'
import { customer, sales, terminal } from '../window-sql/window-world.ts'
import { answersOf, expectAnswers, type FoundAnswer } from './compare-answers.ts'
import { type JoinWorld, joinWorld, knownMoment, profiles, writeJoinWorld } from './join-world.ts'

let folder: string
let instance: DuckDBInstance
let database: TestDatabase
let pool: pg.Pool
let offline: OfflineStore
beforeAll(async () => {
  ;[folder, instance, database] = await Promise.all([
    mkdtemp(path.join(tmpdir(), 'featuregraph-join-worlds-')),
    DuckDBInstance.create(':memory:', { threads: '2' }),
    createTestDatabase(),
  ])
  pool = testPool(database.url, 4, null)
  offline = testOfflineStore(database.url)
  const { eventSources } = buildRegistry(
    [customer, terminal, sales].map((value) => ({ path: 'world', value })),
  )
  await offline.ensureTables(profiles, eventSources)
})
afterAll(async () => {
  instance?.closeSync()
  await Promise.all([offline?.close(), pool?.end(), folder && rm(folder, { recursive: true, force: true })])
  await database?.drop()
})

let number = 0

async function byDuckDb(world: JoinWorld): Promise<readonly (readonly (FoundAnswer | null)[])[]> {
  number += 1
  const place = path.join(folder, String(number))
  const connection = await instance.connect()
  try {
    // Another zone than the one that everything is in.
    await connection.run(`set timezone = 'Asia/Kolkata'`)
    const join = await writeJoinWorld(connection, place, world)
    await connection.run(
      `create or replace temp table spine as select * from read_parquet('${place}/spine.parquet')`,
    )
    const all = world.spine.map(({ t }) => t)
    const times = { from: Math.min(...all), to: Math.max(...all) }
    const found = await findRowsBy(async () => null)(connection, join, { times })
    const answers: (readonly (FoundAnswer | null)[])[] = []
    for (const [index, { features }] of join.reads.entries()) {
      const values = features.map((_, at) => `, f${at}`).join('')
      answers.push(await answersOf(connection, world, `select place, e${values} from ${found[index]}`))
    }
    return answers
  } finally {
    for (const name of ['spine', 'found_0', 'found_1']) await connection.run(`drop table if exists ${name}`)
    for (const name of ['rows_0', 'asked_0', 'rows_1', 'asked_1'])
      await connection.run(`drop view if exists ${name}`)
    connection.disconnectSync()
  }
}

/** The way of training sets: through a temporary table, windows merged. */
async function byPostgres(world: JoinWorld): Promise<readonly (readonly (FoundAnswer | null)[])[]> {
  const { profile, recent, rows, events, spine, knownAt } = world
  await pool.query(
    `truncate ${[...profiles.map((one) => managedTable('default', one)), eventTable('default', recent.events)].join(', ')}, featuregraph.event_positions`,
  )
  await offline.insertRows(profile, rows)
  await storePlacedEvents(pool, recent.events, events)
  const snapshots = postgresAsOfSnapshots(pool, {
    project: 'default',
    countNonFinite: () => {},
    arrayRows: 0,
  })
  const snapshot = await snapshots.open({ connections: 1, visibleIn: null, files: [] })
  try {
    // Rows of a key stand beside each other.
    const places = [...spine.keys()].sort((left, right) => {
      const [one, other] = [left, right].map((place) => JSON.stringify(spine[place]?.key))
      return one === other ? left - right : (one ?? '') < (other ?? '') ? -1 : 1
    })
    const asked = places.map((place) => spine[place] ?? { key: [] as EntityKey, t: 0 })
    const columns = await snapshot.asOfColumns({
      views: [profile, recent],
      ways: ['LATERAL', 'MERGE'],
      rows: {
        length: asked.length,
        keys: profile.entity.joinKeys.map((_, part) => asked.map(({ key }) => key[part] ?? 0)),
        asOf: Float64Array.from(asked, ({ t }) => t),
        knownAt: (row) => knownMoment(knownAt, asked[row]?.t ?? 0),
      },
    })
    return columns.map(({ eventTimestamps, columns: values, exceptions }, index) => {
      expect(exceptions.size).toBe(0)
      const { features } = [profile, recent][index] ?? profile
      return spine.map((_, place): FoundAnswer | null => {
        const row = places.indexOf(place)
        const eventTimestamp = eventTimestamps[row] ?? Number.NaN
        if (Number.isNaN(eventTimestamp)) return null
        return {
          eventTimestamp,
          values: features.map(({ type }, at) => inFileForm(values[at]?.at(row) ?? null, type)),
        }
      })
    })
  } finally {
    await snapshot.close()
  }
}

// Spark's are in the long run: test/stores/spark/spark-joins.test.ts.
describe.each([
  ['DuckDB over files', byDuckDb, 40],
  ['Postgres', byPostgres, 25],
] as const)('a training set by %s', (_, answer, numRuns) => {
  it('has the rows and windows of the oracle: ties, late rows and events, composite keys, overflow, hops that do not divide, before 1970', async () => {
    let present = 0
    await fc.assert(
      fc.asyncProperty(joinWorld, async (world) => {
        present += expectAnswers(world, await answer(world))
      }),
      { numRuns, endOnFailure: true },
    )
    // Else the property would hold for an engine that finds nothing.
    expect(present).toBeGreaterThan(10 * numRuns)
  })
})
