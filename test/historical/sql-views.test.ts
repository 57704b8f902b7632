import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { formatTimestamp, type Micros, parseTimestamp } from '../../src/definitions/timestamp.ts'
import { BadUserInput } from '../../src/errors.ts'
import { systemClock } from '../../src/gateway/system-clock.ts'
import { computeSnapshots } from '../../src/ingest/snapshots/compute-snapshots.ts'
import type { BatchView, StoredView } from '../../src/registry/registry.ts'
import { postgresSqlViews } from '../../src/stores/postgres/analysts/sql-views.ts'
import type { SqlViews } from '../../src/stores/sql-views.ts'
import { blocksOf } from '../docs/doc-blocks.ts'
import { newProject, startTestGateway, type TestGateway, type TestRow } from '../server/start-test-gateway.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'

const hour = 3_600_000_000
const day = 24 * hour
/** Midnights are times of snapshots. */
const midnight = Math.floor(systemClock() / day) * day
const project = newProject()
const customers = [1, 2, 3, 4, 5]
let folder: string
let database: TestDatabase
let gateway: TestGateway
let analyst: pg.Client
let sqlViews: SqlViews
let stored: readonly StoredView[]

const columns: Readonly<Record<string, readonly string[]>> = {
  profile: ['seats', 'rating', 'share', 'paid', 'name', 'open', 'tags', 'since'],
  daily: ['n', 'total'],
  bills: ['net', 'owed', 'sent', 'parts', 'small'],
}

const floats: ReadonlySet<string> = new Set(['rating', 'net'])

beforeAll(async () => {
  ;[folder, database] = await Promise.all([
    mkdtemp(join(tmpdir(), 'featuregraph-sql-views-')),
    createTestDatabase(),
  ])
  await mkdir(join(folder, 'schema'))
  await writeFile(
    join(folder, 'schema', 'world.mjs'),
    `export const customer = { kind: 'entity', name: 'customer', joinKeys: { customer_id: 'int64' } }
     export const sales = { kind: 'event-source', name: 'sales', eventTimestamp: 'at', fields: { customer_id: 'int64', price: 'float64' } }
     export const profile = { kind: 'feature-view', name: 'profile', entity: 'customer', ttl: '10h', description: "It's a $1 profile",
       features: { seats: 'int64', rating: 'float32', share: 'float64', paid: 'decimal(2)', name: 'string', open: 'bool', tags: 'string[]', since: 'timestamp' } }
     export const daily = { kind: 'windowed-view', name: 'daily', entity: 'customer', source: 'sales', ttl: '30h', compute: { mode: 'batch', every: '1d' },
       features: { n: { aggregate: 'count', window: '2d' }, total: { aggregate: 'sum', field: 'price', window: '2d' } } }
     export const live = { kind: 'windowed-view', name: 'live', entity: 'customer', source: 'sales', compute: { mode: 'stream' }, online: false,
       features: { n_live: { aggregate: 'count', window: '2h' } } }
     export const bills = { kind: 'feature-view', name: 'bills', entity: 'customer', ttl: '20h',
       features: { net: 'float32', owed: 'decimal(2)', sent: 'timestamp', parts: 'float64[]', small: 'int32' },
       source: { kind: 'postgres', name: 'bills', table: 'public.bills', eventTimestamp: 'paid_at', createdTimestamp: 'loaded_at', rowId: 'no' } }`,
  )
  analyst = new pg.Client({ connectionString: database.url, options: '-c TimeZone=America/New_York' })
  await analyst.connect()
  await analyst.query(
    `create table public.bills (no bigint generated always as identity, customer_id int, paid_at timestamp, loaded_at timestamptz,
       net float8, owed numeric, sent timestamp, parts float8[], small int)`,
  )
  gateway = await startTestGateway({
    offlineUrl: database.url,
    onlineUrl: 'memory:',
    makeTables: false,
    settings: { PROJECT: project, SCHEMA: join(folder, 'schema'), WORKER: 'false' },
  })
  const { registry, stores } = gateway.gateway
  sqlViews = postgresSqlViews(stores.system, project)
  stored = registry.views.filter((view) => view.kind !== 'STREAM')
  await writeRandomRows()
})

afterAll(async () => {
  await Promise.all([analyst?.end(), gateway?.close()])
  await Promise.all([folder && rm(folder, { recursive: true, force: true }), database?.drop()])
})

async function writeRandomRows(): Promise<void> {
  const moment = fc.integer({ min: -80, max: 0 }).map((hours) => midnight + hours * hour)
  const row = fc.record({
    customer: fc.constantFrom(...customers),
    at: moment,
    created: fc.option(moment, { freq: 4 }),
    number: fc.integer({ min: -50, max: 50 }),
    isNull: fc.boolean(),
  })
  const rows = fc.sample(fc.array(row, { minLength: 120, maxLength: 120 }), 1)[0] ?? []
  await gateway.write(
    'profile',
    rows.map(({ customer, at, created, number, isNull }): TestRow => {
      const value = <T>(given: T): T | null => (isNull && number % 2 === 0 ? null : given)
      const values = {
        ...{ seats: value(number === 7 ? '9007199254740993' : number), rating: value(number / 3) },
        ...{ share: number / 7, paid: value(number / 4), name: value(`n'${number}`), open: number > 0 },
        ...{ tags: value(number > 0 ? ['a', `${number}`] : []), since: value(at - number * hour) },
      }
      return { key: { customer_id: customer }, at, created, values }
    }),
  )
  for (const { customer, at, created, number, isNull } of rows) {
    const odd = ['NaN', 'Infinity', '1e-60', '1e39', `${number}.5`]
    await analyst.query(
      `insert into public.bills (customer_id, paid_at, loaded_at, net, owed, sent, parts, small)
       values ($1, $2::timestamptz at time zone 'UTC', $3, $4, $5, $6, $7, $8)`,
      [
        ...[number === 13 ? null : customer, formatTimestamp(at), created && formatTimestamp(created)],
        ...[odd[Math.abs(number) % 5], [null, 'NaN', '1.234', `${number}.25`][Math.abs(number) % 4]],
        isNull ? 'infinity' : formatTimestamp(at).slice(0, 19),
        ...[[null, '{}', '{1,NULL}', '{1,NaN}', '{1.5,2}'][Math.abs(number) % 5], number],
      ],
    )
  }
  // A customer of old rows alone, whatever was drawn.
  const old = midnight - 60 * hour
  await gateway.write('profile', [{ key: { customer_id: 98 }, at: old, values: { seats: 1 } }])
  await analyst.query(
    `insert into public.bills (customer_id, paid_at) values (98, $1::timestamptz at time zone 'UTC')`,
    [formatTimestamp(old)],
  )
  const events = rows.map(({ customer, at, number }) =>
    JSON.stringify({ at: formatTimestamp(at - 30_000_000), customer_id: customer, price: number / 2 }),
  )
  const quiet = { at: formatTimestamp(midnight - 100 * hour), customer_id: 99, price: 1 }
  const pushed = await fetch(`${gateway.url}/events/sales`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: [...events, JSON.stringify(quiet)].join('\n'),
  })
  expect(pushed.status).toBe(200)
  const view = stored.find(({ name }) => name === 'daily') as BatchView
  const scope = { kind: 'TIMES', times: [4, 3, 2, 1].map((days) => midnight - days * day) } as const
  await computeSnapshots({ ...gateway.gateway.stores, clock: systemClock }, view, scope, {
    ...{ createdAfterMicros: hour, onWait: () => {}, onProgress: () => {} },
  })
  await gateway.write('daily', [
    { key: { customer_id: 2 }, at: midnight - 2 * day, created: midnight, values: { n: 7, total: null } },
  ])
}

type Shown = Readonly<Record<string, unknown>>

/** Values that both sides have in one form. */
function plain(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString()
  if (typeof value === 'string' && /^\d{4}-\d\d-\d\dT/.test(value))
    return new Date(Number(parseTimestamp(value)) / 1_000).toISOString()
  if (typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value)) return String(Number(value))
  return typeof value === 'number' ? String(value) : value
}

function shown(view: string, row: Shown, freshness: Shown): Shown {
  const values = (columns[view] ?? []).map((name) => {
    const value = row[name]
    // The driver reads a float32 from its own shortest text.
    return [name, plain(typeof value === 'number' && floats.has(name) ? Math.fround(value) : value)]
  })
  const times = [freshness['eventTimestamp'], freshness['createdTimestamp']].map(plain)
  return { ...Object.fromEntries(values), status: freshness['status'], times }
}

async function bySql(view: string, at: Micros, knownAt: Micros | null): Promise<ReadonlyMap<number, Shown>> {
  const { rows } = await analyst.query(`select * from analytics.${view}_as_of($1, $2)`, [
    formatTimestamp(at),
    knownAt && formatTimestamp(knownAt),
  ])
  const found = rows.map((row): [number, Shown] => {
    const freshness = { ...row, eventTimestamp: row.event_timestamp, createdTimestamp: row.created_timestamp }
    return [Number(row.customer_id), shown(view, row, freshness)]
  })
  expect(new Set(found.map(([key]) => key)).size).toBe(found.length)
  return new Map(found)
}

async function byGraphql(view: string, at: Micros, knownAt: Micros | null) {
  const { data, errors } = await gateway.ask(
    `query ($ids: [Int64!]!, $at: Timestamp!, $knownAt: Timestamp) { customers(customerIds: $ids, asOf: $at, knownAt: $knownAt) {
       customerId ${view} { ${columns[view]?.join(' ')} freshness { status eventTimestamp createdTimestamp } } } }`,
    { ids: [...customers, 98, 99], at: formatTimestamp(at), knownAt: knownAt && formatTimestamp(knownAt) },
  )
  expect((errors ?? []).filter(({ extensions }) => extensions.code !== 'UNAVAILABLE')).toEqual([])
  return (data.customers as readonly (Shown & { readonly customerId: number })[]).map(
    ({ customerId, [view]: row }) => {
      const { freshness, ...values } = row as Shown & { readonly freshness: Shown }
      return [customerId, shown(view, values, freshness)] as const
    },
  )
}

describe('the SQL views of sql-views', () => {
  it('answer what GraphQL answers, at any time and as known at any, in any time zone', async () => {
    const states = await sqlViews.sync('analytics', stored)
    expect(states.map(({ view, state }) => [view, state])).toEqual([
      ['profile', 'NEW'],
      ['daily', 'NEW'],
      ['bills', 'NEW'],
    ])
    const statuses = new Set<unknown>()
    for (let step = 0; step < 12; step += 1) {
      const at = midnight + (16 - 8 * step) * hour + (step % 3)
      const knownAt = step % 2 === 0 ? null : at - step * hour
      for (const view of Object.keys(columns)) {
        const [sql, graphql] = [await bySql(view, at, knownAt), await byGraphql(view, at, knownAt)]
        for (const [customer, expected] of graphql) {
          statuses.add(`${view} ${expected['status']}`)
          const isAbsent = expected['status'] === 'NOT_FOUND' || !sql.has(customer)
          if (isAbsent)
            expect([expected['status'], sql.has(customer)]).toEqual([
              expect.stringMatching(/NOT_FOUND|UNAVAILABLE/),
              false,
            ])
          else expect(sql.get(customer), `${view} of ${customer} at ${formatTimestamp(at)}`).toEqual(expected)
        }
      }
    }
    for (const view of Object.keys(columns))
      for (const status of ['PRESENT', 'NOT_FOUND', 'OUTSIDE_TTL'])
        expect(statuses).toContain(`${view} ${status}`)
  })

  it('have the newest rows in a view, whose filter by key is one probe of the index', async () => {
    const { rows } = await analyst.query('select customer_id, status, name from analytics.profile_latest')
    const graphql = await byGraphql('profile', systemClock(), null)
    expect(new Map(rows.map((row) => [Number(row.customer_id), row.status]))).toEqual(
      new Map(graphql.flatMap(([id, { status }]) => (status === 'NOT_FOUND' ? [] : [[id, status]]))),
    )
    await analyst.query('set enable_seqscan = off')
    const plan = await analyst.query(
      'explain (costs off) select * from analytics.profile_latest where customer_id = 3',
    )
    const text = plan.rows.map((row) => row['QUERY PLAN']).join('\n')
    expect(text).toMatch(/Index.*Scan.*profile_as_of/)
    expect(text).toMatch(/Index Cond: .*customer_id = (?:3|'3')/)
  })

  it('answer the queries of docs/analysts.md', async () => {
    const queries = blocksOf('docs/analysts.md', 'sql')
    expect(queries).toHaveLength(3)
    const names = [
      ['customer_transaction_features', 'daily'],
      ['total_transactions_30d', 'n'],
      ['avg_transaction_amount_30d', 'total'],
      ['1001', '2'],
      ["'30 days'", "'48 hours'"],
      ["'2026-11-01 00:00+00'", `'${formatTimestamp(midnight)}'`],
    ] as const
    for (const query of queries) {
      const own = names.reduce((text, [from, to]) => text.replaceAll(from, to), query)
      expect((await analyst.query(own)).rowCount, own).toBeGreaterThan(0)
    }
  })

  it('are made once, replaced where the definition has changed with their grants, and dropped with it', async () => {
    const states = async (views: readonly StoredView[], schema = 'analytics') =>
      (await sqlViews.sync(schema, views)).map(({ view, state }) => `${view} ${state}`)
    expect(await states(stored)).toEqual(['profile CURRENT', 'daily CURRENT', 'bills CURRENT'])
    const role = `reader_${project}`
    await analyst.query(`create role ${role}; grant select on analytics.profile_latest to ${role}`)
    const changed = stored.map((view) => (view.name === 'profile' ? { ...view, ttlMicros: day } : view))
    expect((await sqlViews.compare('analytics', changed)).map(({ state }) => state)).toEqual([
      'OUTDATED',
      'CURRENT',
      'CURRENT',
    ])
    expect(await states(changed.slice(0, 2))).toEqual(['profile OUTDATED', 'daily CURRENT', 'bills REMOVED'])
    const { rows } = await analyst.query(
      `select has_table_privilege($1, 'analytics.profile_latest', 'select') as granted, obj_description('analytics.profile_latest'::regclass) as comment`,
      [role],
    )
    await analyst.query(`drop owned by ${role}; drop role ${role}`)
    expect(rows[0].granted).toBe(true)
    expect(rows[0].comment).toContain("It's a $1 profile")
    await analyst.query('create view public.on_it as select * from analytics.daily_latest')
    await expect(sqlViews.drop('analytics')).rejects.toThrow(/daily_latest.*others are made from it.*on_it/s)
    await analyst.query('drop view public.on_it')
    expect((await sqlViews.drop('analytics')).map(({ view }) => view).toSorted()).toEqual([
      'daily',
      'profile',
    ])
    expect((await analyst.query(`select from pg_namespace where nspname = 'analytics'`)).rowCount).toBe(0)
  })

  it('say of what another definition computed that it is not known', async () => {
    const daily = stored.find(({ name }) => name === 'daily') as BatchView
    await sqlViews.sync('redefined', [{ ...daily, digests: { ...daily.digests, n: 'another' } }])
    const { rows } = await analyst.query(
      'select distinct status, event_timestamp, n, total from redefined.daily_latest',
    )
    expect(rows).toEqual([{ status: 'UNAVAILABLE', event_timestamp: null, n: null, total: null }])
  })

  it('touch nothing that is not their own, and have names of at most 63 bytes', async () => {
    await analyst.query('create schema busy; create table busy.daily_latest (n int)')
    await expect(sqlViews.sync('busy', stored)).rejects.toThrow(BadUserInput)
    await expect(sqlViews.sync('busy', stored)).rejects.toThrow(
      'busy.daily_latest exists and was not made by sql-views',
    )
    expect(await sqlViews.drop('busy')).toEqual([])
    const others = postgresSqlViews(gateway.gateway.stores.system, 'another')
    await sqlViews.sync('shared', stored.slice(0, 1))
    await expect(others.sync('shared', stored.slice(0, 1))).rejects.toThrow(
      `shared.profile_latest is of project "${project}"`,
    )
    expect(await others.drop('shared')).toEqual([])
    const [profile] = stored
    const long = ['a', 'b'].map((end) => ({
      ...(profile as StoredView),
      name: `${'long_'.repeat(12)}${end}`,
    }))
    const made = await sqlViews.sync('shared', long)
    expect(
      made.filter(({ state }) => state === 'NEW').map(({ latest, asOf }) => [latest.length, asOf.length]),
    ).toEqual([
      [63, 63],
      [63, 63],
    ])
    expect((await sqlViews.compare('shared', long)).map(({ state }) => state)).toEqual(['CURRENT', 'CURRENT'])
  })
})
