import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { StoreFailed, StoreTimedOut } from '../../../../src/errors.ts'
import type { AsOfJoin } from '../../../../src/stores/as-of-reader.ts'
import type { OfflineStore } from '../../../../src/stores/offline-store.ts'
import type { StoredOfflineView } from '../../../../src/stores/offline-view.ts'
import { postgresDeletionStore } from '../../../../src/stores/postgres/deletion/deletion-store.ts'
import { asOfJoinSql } from '../../../../src/stores/postgres/features/as-of-join.ts'
import { deletionStoreContract, writtenViews } from '../../../contract/deletion-store.ts'
import { insertedRows, offlineRowsContract } from '../../../contract/offline-rows.ts'
import {
  asOfJoin,
  at,
  neverAborted,
  offlineStoreContract,
  offlineView,
} from '../../../contract/offline-store.ts'
import { joinsBothWays } from '../../../services/joins-both-ways.ts'
import { startPostgres } from '../../../services/postgres.ts'
import { prepareTemplate } from '../../../services/template.ts'
import { createTestDatabase, type TestDatabase } from '../../../services/test-database.ts'
import { testOfflineStore, testPool } from '../../../services/test-pool.ts'
import { untilWorks } from '../../../services/wait-until.ts'

offlineStoreContract('postgres', async () => {
  const database = await createTestDatabase()
  const store = joinsBothWays(database.url, testOfflineStore(database.url))
  return {
    store,
    close: async () => {
      await store.close()
      await database.drop()
    },
  }
})

offlineRowsContract('postgres', async () => {
  const database = await createTestDatabase()
  const store = joinsBothWays(database.url, testOfflineStore(database.url))
  return {
    ...insertedRows(store),
    close: async () => {
      await store.close()
      await database.drop()
    },
  }
})

// The rows of another project than the default stand in a schema of their own, under the same promises.
offlineStoreContract('postgres, project "other"', async () => {
  const database = await createTestDatabase()
  const store = joinsBothWays(database.url, testOfflineStore(database.url, { project: 'other' }), 'other')
  return {
    store,
    close: async () => {
      await store.close()
      await database.drop()
    },
  }
})

offlineRowsContract('postgres, project "other"', async () => {
  const database = await createTestDatabase()
  const store = joinsBothWays(database.url, testOfflineStore(database.url, { project: 'other' }), 'other')
  return {
    ...insertedRows(store),
    close: async () => {
      await store.close()
      await database.drop()
    },
  }
})

describe.each(['default', 'other'])('project %s', (project) => {
  deletionStoreContract('postgres', async () => {
    const database = await createTestDatabase()
    const pool = testPool(database.url, 2, null)
    const store = testOfflineStore(database.url, { project })
    return {
      ...writtenViews(store),
      deletions: postgresDeletionStore(pool, project),
      close: async () => {
        await Promise.all([store.close(), pool.end()])
        await database.drop()
      },
    }
  })
})

const t = at('2026-11-20T12:00:00Z')

/** Longer than any test takes: a statement that ends was ended. */
const farOffMs = 3_600_000

/** A mapped query that takes this many seconds. */
function slowView(seconds: number): StoredOfflineView {
  return offlineView(
    'slow',
    { id: 'int64' },
    { n: 'int64' },
    {
      kind: 'postgres',
      name: 'slow',
      query: `select 1::bigint as id, now() - interval '1 year' as ts, 7::bigint as n where pg_sleep(${seconds})::text is not null`,
      eventTimestamp: 'ts',
      columns: {},
    },
  )
}

function question(view: StoredOfflineView, id = 1): AsOfJoin {
  return { views: [view], rows: [{ key: [id], asOf: t, knownAt: null }], visibleIn: null }
}

describe('a statement of the Postgres offline store', () => {
  let database: TestDatabase
  let admin: pg.Pool
  const stores: OfflineStore[] = []

  beforeAll(async () => {
    database = await createTestDatabase()
    admin = testPool(database.url, 2)
  })
  afterAll(async () => {
    await Promise.all([admin.end(), ...stores.map((store) => store.close())])
    await database.drop()
  })

  function open(maxConnections: number, statementTimeoutMs = farOffMs): OfflineStore {
    const store = testOfflineStore(
      database.url,
      {},
      testPool(database.url, maxConnections, statementTimeoutMs),
    )
    stores.push(store)
    return store
  }

  const sleeping = async (): Promise<number> => {
    const { rows } = await admin.query<{ n: number }>(
      `select count(*)::int as n from pg_stat_activity
       where datname = current_database() and state = 'active' and query like '%pg_sleep%' and pid <> pg_backend_pid()`,
    )
    return rows[0]?.n ?? -1
  }

  it('is cancelled in the server when its caller goes away, and its connection serves the next', async () => {
    const store = open(2)
    const caller = new AbortController()
    const answer = store
      .asOfJoin(question(slowView(farOffMs / 1_000)), caller.signal)
      .catch((error: unknown) => error)
    await expect.poll(sleeping).toBe(1)
    caller.abort()
    expect(await answer).toBeInstanceOf(StoreFailed)
    await expect.poll(sleeping).toBe(0)
    for (let index = 0; index < 3; index += 1) {
      expect(await store.asOfJoin(question(slowView(0)), neverAborted)).toEqual([
        [{ eventTimestamp: expect.any(Number), createdTimestamp: null, values: [7], closing: false }],
      ])
    }
  })

  it('is cancelled also while every connection of the pool is at work', async () => {
    const store = open(2)
    const caller = new AbortController()
    const answers = [1, 2].map(() =>
      store.asOfJoin(question(slowView(farOffMs / 1_000)), caller.signal).catch((error: unknown) => error),
    )
    await expect.poll(sleeping).toBe(2)
    caller.abort()
    for (const answer of await Promise.all(answers)) expect(answer).toBeInstanceOf(StoreFailed)
    expect(await sleeping()).toBe(0)
  })

  it('is not sent for a caller that is gone already', async () => {
    await expect(open(1).asOfJoin(question(slowView(5)), AbortSignal.abort())).rejects.toBeInstanceOf(
      StoreFailed,
    )
    expect(await sleeping()).toBe(0)
  })

  it('that ends while its caller goes away takes no other statement of its connection along', async () => {
    const store = open(1)
    for (let round = 0; round < 30; round += 1) {
      const caller = new AbortController()
      const leaving = store.asOfJoin(question(slowView(0.015)), caller.signal).catch(() => [])
      const staying = store.asOfJoin(question(slowView(0.015)), neverAborted)
      // Before, at and after the end of the first.
      const timer = setTimeout(() => caller.abort(), 8 + (round % 15))
      expect(await staying).toEqual([[expect.objectContaining({ values: [7] })]])
      clearTimeout(timer)
      await leaving
    }
  })

  it('fails when it takes longer than the statement timeout', async () => {
    const store = open(2, 200)
    const failure = await store
      .asOfJoin(question(slowView(farOffMs / 1_000)), neverAborted)
      .catch((error: unknown) => error)
    // The server's timeout, or on a busy machine the client's own a moment later.
    expect(failure).toBeInstanceOf(StoreTimedOut)
    await expect.poll(sleeping).toBe(0)
    // On a busy machine it, too, may take longer at first.
    expect(await untilWorks(() => store.asOfJoin(question(slowView(0)), neverAborted))).toHaveLength(1)
  })

  it('fails with StoreFailed where its table is missing, and where a value does not fit', async () => {
    const store = open(2)
    const missing = offlineView('missing', { id: 'int64' }, { n: 'int64' })
    await expect(store.asOfJoin(question(missing), neverAborted)).rejects.toBeInstanceOf(StoreFailed)
    const rows = [{ key: [1], eventTimestamp: t, createdTimestamp: null, values: [1] }]
    await expect(store.insertRows(missing, rows)).rejects.toBeInstanceOf(StoreFailed)
  })
})

describe('an as-of join of the Postgres offline store', () => {
  it('probes one index per view and entity row, without sorting, and without the table where the index has it all', async () => {
    const database = await createTestDatabase()
    const pool = testPool(database.url, 1)
    const store = testOfflineStore(database.url)
    try {
      const numbers = offlineView('numbers', { id: 'int64' }, { n: 'int64', x: 'float64', b: 'bool' })
      const texts = offlineView('texts', { id: 'int64' }, { text: 'string' })
      await store.ensureTables([numbers, texts], [])
      for (const [table, column] of [
        ['numbers', 'n, x, b) select i % 500, ts, case when i % 7 > 0 then ts end, i, i, true'],
        ['texts', 'text) select i % 500, ts, ts, i::text'],
      ]) {
        await pool.query(
          `insert into features.${table} (id, event_timestamp, created_timestamp, ${column}
           from (select i, timestamptz '2026-11-01' + i * interval '1 minute' as ts from generate_series(1, 20000) as i) as h`,
        )
        await pool.query(`vacuum analyze features.${table}`)
      }
      const rows = Array.from({ length: 100 }, (_, id) => ({
        key: [id],
        asOf: t,
        knownAt: id % 2 ? t : null,
      }))
      const sql = asOfJoinSql('default', { views: [numbers, texts], rows, visibleIn: null })
      const { rows: plans } = await pool.query<{ 'QUERY PLAN': readonly { readonly Plan: PlanNode }[] }>(
        `explain (format json) ${sql.text}`,
        [...sql.values],
      )
      const plan = plans[0]?.['QUERY PLAN'][0]?.Plan
      // What stands below a LIMIT runs once per entity row.
      const probes = nodesOf(plan).filter((node) => node['Node Type'] === 'Limit')
      expect(probes.map((probe) => nodesOf(probe).map((node) => node['Node Type']))).toEqual([
        ['Limit', 'Index Only Scan'],
        ['Limit', 'Index Scan'],
      ])
    } finally {
      await Promise.all([pool.end(), store.close()])
      await database.drop()
    }
  })
})

interface PlanNode {
  readonly 'Node Type': string
  readonly Plans?: readonly PlanNode[]
}

function nodesOf(node: PlanNode | undefined): PlanNode[] {
  return node === undefined ? [] : [node, ...(node.Plans ?? []).flatMap(nodesOf)]
}

describe('a Postgres that dies and comes back', () => {
  it('fails what is in flight and what is asked meanwhile, and serves the same store afterwards', async () => {
    const server = await startPostgres()
    const url = await server.createDatabase()
    await prepareTemplate(url)
    const store = testOfflineStore(url, {})
    try {
      const view = offlineView('lasting', { id: 'int64' }, { n: 'int64' })
      await store.ensureTables([view], [])
      const rows = [{ key: [1], eventTimestamp: t, createdTimestamp: null, values: [3] }]
      await store.insertRows(view, rows)
      const asleep = store
        .asOfJoin(question(slowView(farOffMs / 1_000)), neverAborted)
        .catch((error: unknown) => error)
      await server.kill()
      expect(await asleep).toBeInstanceOf(StoreFailed)
      const failures = await Promise.allSettled([
        store.asOfJoin(question(view), neverAborted),
        store.insertRows(view, rows),
        store.ensureTables([view], []),
        store.ping(),
      ])
      for (const outcome of failures) {
        expect(outcome).toEqual({ status: 'rejected', reason: expect.any(StoreFailed) })
      }
      await server.restart()
      await store.ensureTables([view], [])
      await store.insertRows(view, rows)
      expect((await asOfJoin(store, question(view)))[0]?.[0]?.values).toEqual([3])
    } finally {
      await store.close()
      await server.stop()
    }
  })
})
