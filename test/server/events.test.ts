import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { formatTimestamp, type Micros } from '../../src/definitions/timestamp.ts'
import { computeSnapshots } from '../../src/ingest/snapshots/compute-snapshots.ts'
import type { EventSource } from '../../src/registry/registry.ts'
import { eventTable } from '../../src/stores/postgres/tables/event-table.ts'
import { at } from '../graph/run-operation.ts'
import { setDatabaseClock } from '../services/database-clock.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { testPool } from '../services/test-pool.ts'
import { newProject, startTestGateway, type TestGateway } from './start-test-gateway.ts'

const keys = { reader: 'k-reader', writer: 'k-writer', all: 'k-all' }
const now = at('2026-11-23T12:00:00Z')
const clock = (): Micros => now
const project = newProject()

const definitions = `
  export const customer = { kind: 'entity', name: 'customer', joinKeys: { customer_id: 'int64' } }
  const fields = { customer_id: 'int64', amount: 'float64', note: { type: 'string', default: 'none' } }
  export const payments = {
    kind: 'event-source', name: 'payments', topic: 'shop.payments', eventTimestamp: 'ts', eventId: 'id',
    columns: { amount: 'Amount' }, fields,
    expect: { amount: { max: 100 }, note: { oneOf: ['none', 'gift', 'odd'], action: 'reject' } },
  }
  export const visits = {
    kind: 'event-source', name: 'visits', eventTimestamp: 'ts', fields,
    expect: { amount: { max: 100, action: 'quarantine' } },
  }
  export const ledger = { kind: 'event-source', name: 'ledger', table: 'shop.ledger', eventTimestamp: 'ts', fields }
  const features = {
    n: { aggregate: 'count', window: '3d', hop: '1d' },
    total: { aggregate: 'sum', field: 'amount', window: '3d', hop: '1d' },
  }
  const view = (source) => ({
    kind: 'windowed-view', name: source + '_daily', entity: 'customer', source,
    compute: { mode: 'batch', every: '1d' }, online: false, features,
  })
  export const daily = view('payments')
  export const visits_daily = view('visits')
`

let database: TestDatabase
let pool: pg.Pool
let folder: string
let gateway: TestGateway

beforeAll(async () => {
  ;[database, folder] = await Promise.all([
    createTestDatabase(),
    mkdtemp(join(tmpdir(), 'featuregraph-events-')),
  ])
  pool = testPool(database.url, 2)
  await mkdir(join(folder, 'schema'))
  await writeFile(join(folder, 'schema', 'world.mjs'), definitions)
  const entry = (name: string, key: string, rights: readonly string[]) => ({
    name,
    sha256: createHash('sha256').update(key).digest('hex'),
    rights,
  })
  const file = join(folder, 'keys.json')
  await writeFile(
    file,
    JSON.stringify([
      entry('reader', keys.reader, ['read']),
      entry('writer', keys.writer, ['write']),
      entry('all', keys.all, ['read', 'write', 'admin']),
    ]),
  )
  await pool.query('create schema shop')
  await pool.query(
    'create table shop.ledger (customer_id bigint, amount double precision, note text, ts timestamptz)',
  )
  await setDatabaseClock(database.url, now)
  gateway = await startTestGateway({
    offlineUrl: database.url,
    onlineUrl: inject('redisUrl'),
    settings: {
      PROJECT: project,
      SCHEMA: join(folder, 'schema'),
      API_KEYS_FILE: file,
      MAX_BODY_BYTES: '1024',
    },
    clock,
  })
})
afterAll(async () => {
  await gateway?.close()
  await pool?.end()
  await Promise.all([database?.drop(), rm(folder, { recursive: true, force: true })])
})

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })
const ndjson = { ...bearer(keys.writer), 'content-type': 'application/x-ndjson' }
const line = (event: unknown): string => `${JSON.stringify(event)}\n`
const ts = '2026-11-22T08:00:00Z'

interface Reply {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: tests say what they expect of it
  readonly lines: readonly any[]
}

async function post(
  source: string,
  body: string,
  headers: Readonly<Record<string, string>> = ndjson,
): Promise<Reply> {
  const response = await fetch(`${gateway.url}/events/${source}`, { method: 'POST', headers, body })
  const lines = (await response.text()).split('\n').filter((part) => part !== '')
  return { status: response.status, lines: lines.map((part) => JSON.parse(part)) }
}

function sourceOf(name: string): EventSource {
  const source = gateway.gateway.registry.eventSources.find((candidate) => candidate.name === name)
  if (!source) throw new Error(`no source ${name}`)
  return source
}

async function rows(sql: string, values: readonly unknown[] = []): Promise<readonly unknown[]> {
  return (await pool.query<Record<string, unknown>>(sql, [...values])).rows
}

function eventsOf(name: string, customers: readonly number[]): Promise<readonly unknown[]> {
  const table = eventTable(project, sourceOf(name))
  return rows(
    `select topic, "offset"::int, event_id, customer_id::int, amount, note, ingested_at = $2::timestamptz as "isKnownNow"
     from ${table} as e join featuregraph.event_topics as t on t.id = e.topic_id
     where customer_id = any($1) order by "offset"`,
    [customers, formatTimestamp(now)],
  )
}

function violationsOf(customer: number): Promise<readonly unknown[]> {
  return rows(
    'select view, feature, rule, action from featuregraph.violations where project = $1 and key[1] = $2 order by id',
    [project, String(customer)],
  )
}

function quarantineOf(customer: number): Promise<readonly unknown[]> {
  return rows(
    `select view, content, reason from featuregraph.quarantine where project = $1 and content->'key'->>'customer_id' = $2`,
    [project, String(customer)],
  )
}

describe('POST /events/<source>', () => {
  it('stores events at the end of the source’s log, where a batch snapshot counts them', async () => {
    const { status, lines } = await post(
      'payments',
      line({ ts, customer_id: 1, Amount: 2.5, id: 'a', other: true }) +
        '\r\n' +
        line({ ts: '2026-11-22T09:00:00+01:00', customer_id: '1', Amount: 4, note: 'gift', id: 'b' }),
    )
    expect([status, lines]).toEqual([
      200,
      [
        { row: 0, accepted: true },
        { row: 1, accepted: true },
        { accepted: 2, rejected: 0 },
      ],
    ])
    const kept = { topic: 'log:payments', customer_id: 1, isKnownNow: true }
    expect(await eventsOf('payments', [1])).toEqual([
      { ...kept, offset: 0, event_id: 'a', amount: 2.5, note: 'none' },
      { ...kept, offset: 1, event_id: 'b', amount: 4, note: 'gift' },
    ])
    await post('visits', line({ ts, customer_id: 1 }))
    expect(await eventsOf('visits', [1])).toMatchObject([{ topic: 'log:visits', event_id: null, offset: 0 }])

    const view = gateway.gateway.registry.views.find(({ name }) => name === 'payments_daily')
    if (view?.kind !== 'BATCH') throw new Error('no batch view')
    await computeSnapshots(
      { ...gateway.gateway.stores, clock },
      view,
      { kind: 'TIMES', times: [at('2026-11-23T00:00:00Z')] },
      { createdAfterMicros: null, onWait: () => {}, onProgress: () => {} },
    )
    const { data } = await gateway.ask(
      `{ customer(customerId: 1, asOf: "${formatTimestamp(now)}") { paymentsDaily { n total freshness { status } } } }`,
      {},
      { headers: bearer(keys.reader) },
    )
    expect(data.customer.paymentsDaily).toEqual({ n: 2, total: 6.5, freshness: { status: 'PRESENT' } })
  })

  it('reports of every event that does not fit why, and keeps the others', async () => {
    const { lines } = await post(
      'payments',
      [
        'no json\n',
        '[1]\n',
        line({ customer_id: 'x', Amount: true, note: 1 }),
        line({ ts: '2026-11-22T08:00:00', customer_id: 10 }),
        line({ ts, customer_id: 10, id: 'kept' }),
        line({ ts, customer_id: 10, id: 'x'.repeat(1_048_576) }),
      ].join(''),
    )
    const refused = (row: number, message: RegExp) => ({
      row,
      accepted: false,
      code: 'INVALID_EVENT',
      message: expect.stringMatching(message),
    })
    expect(lines).toEqual([
      refused(0, /^the line is not JSON in UTF-8$/),
      refused(1, /^expected a JSON object, one a line$/),
      refused(
        2,
        /^an event of source "payments" does not fit: ts: .* missing; customer_id: expected a 64-bit integer.*; Amount: expected a number, got true; note: expected a string.*$/,
      ),
      refused(3, /ts: expected an RFC 3339 timestamp with an offset/),
      { row: 4, accepted: true },
      refused(5, /^a line has at most 1048576 bytes$/),
      { accepted: 1, rejected: 5 },
    ])
    expect(await eventsOf('payments', [10])).toMatchObject([{ event_id: 'kept' }])
  })

  it('counts an event once however often its id comes, in one body or in several', async () => {
    const event = line({ ts, customer_id: 11, Amount: 101, id: 'once' })
    const repeated = { accepted: true, repeated: true }
    expect((await post('payments', event + event)).lines).toEqual([
      { row: 0, accepted: true, violations: [expect.objectContaining({ rule: 'MAX' })] },
      { row: 1, ...repeated },
      { accepted: 2, rejected: 0 },
    ])
    expect((await post('payments', event)).lines[0]).toEqual({ row: 0, ...repeated })
    // What it broke is reported once too.
    expect(await violationsOf(11)).toHaveLength(1)
  })

  it('asks what is expected: warned of, quarantined, or rejected', async () => {
    const tooHigh = { feature: 'amount', rule: 'MAX', value: '101', bound: '100' }
    const violations = [{ ...tooHigh, message: 'Value 101 above maximum 100' }]
    const warned = await post('payments', line({ ts, customer_id: 12, Amount: 101 }))
    expect(warned.lines[0]).toEqual({ row: 0, accepted: true, violations })
    const broken = { view: 'payments', feature: 'amount', rule: 'MAX', action: 'warn' }
    expect(await violationsOf(12)).toEqual([broken])
    expect(await quarantineOf(12)).toEqual([])

    const rejected = await post('payments', line({ ts, customer_id: 13, note: 'else' }))
    const message = 'note: Value else is none of none, gift, odd'
    const refused = { row: 0, accepted: false, code: 'EXPECTATION_FAILED', message }
    expect(rejected.lines[0]).toMatchObject({ ...refused, violations: [{ feature: 'note', rule: 'ONE_OF' }] })
    expect(await violationsOf(13)).toMatchObject([{ feature: 'note', action: 'reject' }])
    expect(await quarantineOf(13)).toEqual([])

    const reason = 'amount: Value 101 above maximum 100'
    const quarantined = await post('visits', line({ ts, customer_id: 14, amount: 101 }))
    const kept = { row: 0, accepted: false, code: 'QUARANTINED', message: reason, violations }
    expect(quarantined.lines[0]).toEqual(kept)
    expect(await violationsOf(14)).toMatchObject([{ view: 'visits', action: 'quarantine' }])
    const content = { key: { customer_id: 14 }, values: { amount: 101, note: null }, eventTimestamp: ts }
    expect(await quarantineOf(14)).toEqual([{ view: 'visits', content, reason }])

    expect(await eventsOf('payments', [12, 13])).toMatchObject([{ customer_id: 12 }])
    expect(await eventsOf('visits', [14])).toEqual([])
  })

  it('quarantines what happened more than 10 minutes ahead', async () => {
    const ahead = line({ ts: '2026-11-23T12:10:00.000001Z', customer_id: 15 })
    const { lines } = await post('payments', ahead + line({ ts: '2026-11-23T12:10:00Z', customer_id: 15 }))
    expect(lines).toMatchObject([
      {
        row: 0,
        accepted: false,
        code: 'EVENT_FROM_AHEAD',
        message: expect.stringMatching(/^ts: .* is more than 10 minutes ahead/),
      },
      { row: 1, accepted: true },
      { accepted: 1, rejected: 1 },
    ])
    expect(await quarantineOf(15)).toMatchObject([{ view: 'payments', reason: lines[0].message }])
    expect(await eventsOf('payments', [15])).toHaveLength(1)
  })

  it('takes nothing of a deleted entity, nor reports of it, but what happened later', async () => {
    const mutation = 'mutation { deleteCustomer(customerId: 20) { deletedAt } }'
    const { errors } = await gateway.ask(mutation, {}, { headers: bearer(keys.all) })
    expect(errors).toBeUndefined()
    const deleted = { accepted: false, code: 'ENTITY_DELETED', message: expect.stringMatching(/was deleted/) }
    const taken = await post(
      'payments',
      line({ ts, customer_id: 20, Amount: 101 }) +
        line({ ts, customer_id: '20', note: 'else' }) +
        line({ ts: '2026-11-23T12:00:01Z', customer_id: 20, id: 'later' }) +
        line({ ts, customer_id: 21, note: 'else' }),
    )
    expect(taken.lines).toMatchObject([
      { row: 0, ...deleted },
      { row: 1, ...deleted },
      { row: 2, accepted: true },
      { row: 3, code: 'EXPECTATION_FAILED' },
      { accepted: 1, rejected: 3 },
    ])
    const quarantined = await post('visits', line({ ts, customer_id: 20, amount: 101 }))
    expect(quarantined.lines[0]).toMatchObject(deleted)
    expect([await violationsOf(20), await quarantineOf(20)]).toEqual([[], []])
    expect(await eventsOf('payments', [20])).toMatchObject([{ event_id: 'later' }])
  })

  it('takes more than one batch, and one that is larger than a body may be elsewhere', async () => {
    const body = Array.from({ length: 4_500 }, (_, index) =>
      line({ ts, customer_id: 1_000, id: `m${index}` }),
    )
    const { lines } = await post('payments', body.join(''))
    expect(lines).toHaveLength(4_501)
    expect(lines[4_499]).toEqual({ row: 4_499, accepted: true })
    expect(lines.at(-1)).toEqual({ accepted: 4_500, rejected: 0 })
    const kept = await eventsOf('payments', [1_000])
    expect(kept.length).toBe(4_500)
  })

  it('takes no events, and says so', async () => {
    expect((await post('payments', '\n')).lines).toEqual([{ accepted: 0, rejected: 0 }])
  })

  it('refuses as a whole what cannot be taken, with status and code', async () => {
    const json = { ...ndjson, 'content-type': 'application/json' }
    const refusals: readonly [string, Record<string, string>, number, string, RegExp][] = [
      ['payments', { 'content-type': 'application/x-ndjson' }, 401, 'UNAUTHENTICATED', /API key/],
      ['payments', { ...ndjson, ...bearer(keys.reader) }, 403, 'FORBIDDEN', /right "write"/],
      ['nothing', { ...ndjson, ...bearer(keys.reader) }, 403, 'FORBIDDEN', /right "write"/],
      ['payments', json, 415, 'UNSUPPORTED_MEDIA_TYPE', /expected content-type application\/x-ndjson/],
      [
        'payments',
        { ...ndjson, 'content-encoding': 'gzip' },
        415,
        'UNSUPPORTED_MEDIA_TYPE',
        /not compressed/,
      ],
      ['nothing', ndjson, 404, 'NOT_FOUND', /no event source of this name/],
      ['payments_daily', ndjson, 404, 'NOT_FOUND', /no event source of this name/],
      ['ledger', ndjson, 400, 'BAD_USER_INPUT', /of source "ledger" stand in the table shop.ledger/],
    ]
    for (const [source, headers, status, code, message] of refusals) {
      const reply = await post(source, line({ ts, customer_id: 30 }), headers)
      const [error] = reply.lines[0].errors
      expect([source, reply.status, error.extensions.code]).toEqual([source, status, code])
      expect(error.message).toMatch(message)
    }
    expect(await eventsOf('payments', [30])).toEqual([])
    const byGet = await fetch(`${gateway.url}/events/payments`, { headers: bearer(keys.all) })
    expect(byGet.status).toBe(404)
  })
})
