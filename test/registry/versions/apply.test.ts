import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { count } from '../../../src/definitions/featuregraph.ts'
import { stream, windowedView } from '../../../src/definitions/windowed-view.ts'
import { ApplyRefused, InvalidDefinitions, TablesDiffer } from '../../../src/errors.ts'
import { currentVersion } from '../../../src/registry/versions/apply.ts'
import type { TableStep } from '../../../src/stores/table-changes.ts'
import { createTestDatabase, type TestDatabase } from '../../services/test-database.ts'
import { testPool } from '../../services/test-pool.ts'
import { waitUntil } from '../../services/wait-until.ts'
import { applyWorld, customer, orders, trips } from './apply-world.ts'

let database: TestDatabase
let pool: pg.Pool
let projects = 0
beforeAll(async () => {
  database = await createTestDatabase()
  pool = testPool(database.url, 6, null)
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})

const newWorld = () => {
  projects += 1
  return applyWorld(pool, `p${projects}`)
}

async function refusal(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  )
  if (!(error instanceof ApplyRefused)) throw new Error(`expected ApplyRefused, got ${String(error)}`)
  return error.message
}

/** Another session, whose transaction is open until it ends. */
async function session(...statements: readonly string[]) {
  const client = new pg.Client({ connectionString: database.url, application_name: 'a long reader' })
  await client.connect()
  await client.query('begin')
  for (const statement of statements) await client.query(statement)
  return { client, end: () => client.end() }
}

const byCustomer = () =>
  windowedView('spent', { entity: customer, source: orders, compute: stream(), features: { n: count('1h') } })

describe('applyDefinitions', () => {
  it('of first starts with other definitions makes one version, which all of them answer', async () => {
    const { apply, targets } = newWorld()
    const features = ['a', 'b', 'c'].map((name) => ({ [name]: 'int64' as const }))
    const starts = features.map(async (one) => {
      for (;;) {
        const outcome = await apply([customer, trips(one)], { onlyFirst: true }).catch(
          (error: unknown) => error,
        )
        if (!(outcome instanceof ApplyRefused)) return outcome
        await sleep(20)
      }
    })
    const answered = await Promise.all(starts)
    expect(await targets.versions.newest()).toBe(1)
    const current = await currentVersion(targets.versions)
    for (const one of answered) expect(one).toMatchObject({ version: 1, digest: current?.digest })
  })

  it('makes the tables and then the version; the same again is no change, more adds a column first', async () => {
    const { apply, targets, stands } = newWorld()
    const first = await apply([customer, trips({ n: 'int64' })], { message: 'begin' })
    expect(first.version).toBe(1)
    expect((await stands()).columns).toContain('trips.n')
    expect((await apply([customer, trips({ n: 'int64' })])).version).toBe(1)
    const reported: string[] = []
    const second = await apply([customer, trips({ n: 'int64', city: 'string' })], {
      report: (line) => reported.push(line),
    })
    expect(second.version).toBe(2)
    expect(reported).toEqual([expect.stringMatching(/^column "city" of "features_p\d+"\."trips"$/)])
    expect((await stands()).columns).toContain('trips.city')
    expect(await targets.versions.begun()).toBeNull()
    expect(await targets.versions.read(1)).toMatchObject({ appliedBy: 'ann@laptop', message: 'begin' })
  })

  it('refuses what breaks unless that is allowed, naming it, and changes nothing', async () => {
    const { apply, targets } = newWorld()
    await apply([customer, trips({ n: 'int64' })])
    const message = await refusal(apply([customer], { allowBreaking: false }))
    expect(message).toMatch(
      /--allow-breaking:\n {2}feature view trips: .*\(breaks documents of GraphQL clients/,
    )
    expect(await targets.versions.newest()).toBe(1)
    expect((await apply([customer])).version).toBe(2)
  })

  it('names what someone changed by hand in a table, and does nothing', async () => {
    const { apply, targets, schema, stands } = newWorld()
    await apply([customer, trips({ n: 'int64', m: 'int64' })])
    await pool.query(`alter table ${schema}.trips alter column n type text`)
    const error = await apply([customer, trips({ n: 'int64', m: 'int64', city: 'string' })]).catch(
      (reason: unknown) => reason,
    )
    expect(error).toBeInstanceOf(TablesDiffer)
    expect(String(error)).toContain('column n: feature view "trips" says bigint, the table has text')
    expect((await stands()).columns).not.toContain('trips.city')
    expect(await targets.versions.begun()).toBeNull()
  })

  it('refuses definitions by which stored rows could not be read, and does nothing', async () => {
    const { apply, targets } = newWorld()
    await apply([customer, trips({ n: 'int64' })])
    await expect(apply([customer, trips({ n: 'string' })])).rejects.toBeInstanceOf(InvalidDefinitions)
    expect(await targets.versions.newest()).toBe(1)
  })

  it('makes a dropped index or column again, without a new version', async () => {
    const { apply, schema, stands } = newWorld()
    const definitions = [customer, trips({ n: 'int64', city: 'string' })]
    await apply(definitions)
    const before = await stands()
    await pool.query(`drop index ${schema}.trips_arrival; alter table ${schema}.trips drop column city`)
    expect((await apply(definitions)).version).toBe(1)
    expect(await stands()).toEqual(before)
  })

  it('of two at once: one wins, the other is refused with whose is under way; the same definitions wait for it', async () => {
    const { apply, targets, schema } = newWorld()
    await apply([customer, trips({ n: 'int64' })])
    const reader = await session(`select count(*) from ${schema}.trips`)
    const patient = { ...targets, tables: applyWorld(pool, schema.replace('features_', '')).targets.tables }
    const reported: string[] = []
    const wins = apply([customer, trips({ n: 'int64', a: 'int64' })], {
      ...{ by: 'bob@ci', message: 'why', report: (line) => reported.push(line) },
    }).catch((error: unknown) => error)
    await waitUntil(async () => (await targets.versions.begun()) !== null, 'the apply has begun')
    const message = await refusal(apply([customer, trips({ n: 'int64', b: 'int64' })], {}, patient))
    expect(message).toMatch(/^an apply of bob@ci, begun at \d{4}-.*Z \(why\), is under way; wait for its end/)
    const waits: string[] = []
    const same = apply([customer, trips({ n: 'int64', a: 'int64' })], { report: (line) => waits.push(line) })
    await waitUntil(() => waits.length > 0, 'the same definitions wait')
    expect(waits[0]).toMatch(/^waiting for an apply of bob@ci/)
    await reader.end()
    const versions = [await wins, await same]
    // The reader may have outlasted the tries of the first; then the second finished what was begun.
    const done = versions.filter((one) => !(one instanceof ApplyRefused))
    expect(done.length).toBeGreaterThan(0)
    for (const one of done) expect(one).toMatchObject({ version: 2 })
    expect(await targets.versions.newest()).toBe(2)
  })

  it('keeps no reader waiting longer than its lock timeout, and names who holds the table', async () => {
    const { apply, targets, schema } = newWorld()
    await apply([customer, trips({ n: 'int64' })])
    const reader = await session(`select count(*) from ${schema}.trips`)
    const reported: string[] = []
    const work = refusal(
      apply([customer, trips({ n: 'int64', a: 'int64' })], { report: (line) => reported.push(line) }),
    )
    // Behind the waiting change: it would wait for the reader's end, would the change not give up.
    let reads = 0
    const others = (async () => {
      while (reads < 20) {
        await pool.query(`select count(*) from ${schema}.trips`)
        reads += 1
      }
    })()
    const message = await work
    await others
    expect(reads).toBe(20)
    expect(message).toMatch(
      /^column "a" of .*: not done within 0\.3 s, since process \d+ \("a long reader", role "\w+", idle in transaction since \d{4}-.*Z\) uses the table; tried 3 times/,
    )
    expect(reported).toHaveLength(2)
    expect(await targets.versions.newest()).toBe(1)
    await reader.end()
    expect((await apply([customer, trips({ n: 'int64', a: 'int64' })])).version).toBe(2)
  })
})

describe('an index of a filled table', () => {
  it('is the only one that answers as of a time, however often features are added and removed', async () => {
    const { apply, stands } = newWorld()
    const asOf = async () => (await stands()).indexes.filter((name) => /^trips_as_of/.test(name))
    await apply([customer, trips({ a: 'int64' })])
    const [first] = await asOf()
    await apply([customer, trips({ a: 'int64', b: 'int64' })])
    const [second, ...others] = await asOf()
    expect([second === first, others]).toEqual([false, []])
    // The wider one serves on, so that nothing is built when the feature comes back.
    await apply([customer, trips({ a: 'int64' })])
    expect(await asOf()).toEqual([second])
    await apply([customer, trips({ a: 'int64', b: 'int64' })])
    expect(await asOf()).toEqual([second])
    await apply([customer, trips({ a: 'int64', b: 'int64', c: 'string' })])
    expect(await asOf()).toEqual([second])
  })

  it('is built while rows are written, and what a cut off build left is built again', async () => {
    const { apply, schema, stands } = newWorld()
    const definitions = [customer, trips({ n: 'int64' })]
    await apply(definitions)
    await pool.query(
      `insert into ${schema}.trips (customer_id, event_timestamp, n) select i, now(), i from generate_series(1, 1000) as i`,
    )
    const before = await stands()
    const asOf = before.indexes.find((name) => name.startsWith('trips_as_of'))
    await pool.query(`drop index ${schema}.${asOf}, ${schema}.trips_arrival`)
    // A writer's transaction: the build waits for its end, and keeps nobody out meanwhile.
    const writer = await session(
      `insert into ${schema}.trips (customer_id, event_timestamp, n) values (-1, now(), 1)`,
    )
    const reported: string[] = []
    const applied = apply(definitions, { report: (line) => reported.push(line) })
    const building = `select a.pid from pg_stat_activity as a where a.query like 'create index concurrently%${schema}%' and a.state = 'active'`
    const builders = async () => (await pool.query<{ pid: number }>(building)).rows
    await waitUntil(async () => (await builders()).length > 0, 'the build has begun')
    await pool.query(`insert into ${schema}.trips (customer_id, event_timestamp, n) values (-2, now(), 2)`)
    await waitUntil(() => reported.length > 0, 'it says whom it waits for')
    expect(reported[0]).toMatch(
      /^index "trips_as_of\w*" on .* waits for the end of the transaction of process \d+ \("a long reader"/,
    )
    // As when its server process is ended: an index that is not valid stays.
    for (const { pid } of await builders()) await pool.query('select pg_terminate_backend($1)', [pid])
    await expect(applied).rejects.toThrow()
    const left = await pool.query(
      `select from pg_index where indrelid = '${schema}.trips'::regclass and not indisvalid`,
    )
    expect(left.rows).toHaveLength(1)
    await writer.client.query('commit')
    await writer.end()
    await apply(definitions)
    expect(await stands()).toEqual(before)
    const found = await pool.query(`select from ${schema}.trips`)
    expect(found.rows).toHaveLength(1_002)
  })

  it('of stored events is built month by month, and the next month gets it too', async () => {
    const { apply, targets, schema, stands } = newWorld()
    await apply([customer, orders])
    const { createEventMonth } = await import('../../../src/stores/postgres/tables/event-table.ts')
    const project = schema.replace('features_', '')
    const [source] = (await currentVersion(targets.versions))?.registry.eventSources ?? []
    if (!source) throw new Error('the source is there')
    for (const month of ['2026-01-15', '2026-02-15'])
      await pool.query(createEventMonth(project, source, Date.parse(month) * 1_000))
    await apply([customer, orders, byCustomer()])
    const { indexes } = await stands()
    expect(indexes).toContain('orders_customer_id')
    expect(indexes.filter((name) => /^orders_customer_id_[0-9a-f]{12}$/.test(name))).toHaveLength(2)
    await pool.query(createEventMonth(project, source, Date.parse('2026-03-15') * 1_000))
    const { rows } = await pool.query(
      `select from pg_inherits where inhparent = 'events_${project}.orders_customer_id'::regclass`,
    )
    expect(rows).toHaveLength(3)
    expect((await apply([customer, orders, byCustomer()])).version).toBe(2)
  })
})

describe('an apply that is killed', () => {
  const before = [customer, trips({ n: 'int64' })]
  const after = [customer, orders, byCustomer(), trips({ n: 'int64', city: 'string' })]

  for (const kind of ['SCHEMA', 'TABLE', 'COLUMNS', 'INDEX'] as const)
    it(`after a step ${kind} leaves the old version current, and the same again finishes it`, async () => {
      const { apply, targets, schema, stands, expireLease } = newWorld()
      await apply(before)
      await pool.query(`drop index ${schema}.trips_due`)
      const killed = {
        tables: {
          ...targets.tables,
          make: async (step: TableStep, report: (line: string) => void) => {
            await targets.tables.make(step, report)
            if (step.kind === kind) throw new Error('killed')
          },
        },
        applies: { ...targets.applies, release: async () => {} },
      }
      await expect(apply(after, { by: 'bob', message: 'why' }, killed)).rejects.toThrow('killed')
      expect((await currentVersion(targets.versions))?.version).toBe(1)
      expect(await targets.versions.begun()).toMatchObject({ kind: 'APPLY', by: 'bob', isHeld: true })
      await expireLease()
      expect((await apply(after)).version).toBe(2)
      expect(await targets.versions.read(2)).toMatchObject({ appliedBy: 'ann@laptop', message: 'why' })
      const { columns, indexes } = await stands()
      expect(columns).toContain('trips.city')
      expect(indexes).toContain('orders_customer_id')
      expect(indexes).toContain('trips_due')
      expect(await targets.versions.begun()).toBeNull()
    })

  it('before its last step gives way to other definitions once its lease has expired', async () => {
    const { apply, targets, expireLease } = newWorld()
    await apply(before)
    const killed = {
      applies: {
        ...targets.applies,
        finish: () => Promise.reject(new Error('killed')),
        release: async () => {},
      },
    }
    await expect(apply(after, {}, killed)).rejects.toThrow('killed')
    expect(await targets.versions.begun()).toMatchObject({
      done: expect.arrayContaining([expect.any(String)]),
    })
    await expireLease()
    const other = await apply([customer, trips({ n: 'int64', m: 'float64' })])
    expect(other.version).toBe(2)
    await sleep(0)
    expect(await targets.versions.begun()).toBeNull()
  })
})
