import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type pg from 'pg'
import {
  count,
  countDistinct,
  entity,
  eventSource,
  last,
  max,
  mean,
  stddev,
  stream,
  sum,
  windowedView,
} from '../../src/definitions/featuregraph.ts'
import { buildRegistry } from '../../src/registry/build-registry.ts'
import type { StreamView } from '../../src/registry/registry.ts'
import type { AsOfEntry, EntityRow } from '../../src/stores/as-of-reader.ts'
import { asOfJoinSql } from '../../src/stores/postgres/features/as-of-join.ts'
import { readAnswer } from '../../src/stores/postgres/features/offline-store.ts'
import { mergedWindows } from '../../src/stores/postgres/windows/merged-windows.ts'
import { testPool } from '../../test/services/test-pool.ts'
import { startDurablePostgres } from '../ingest/durable-postgres.ts'
import { mix } from '../stream/world.ts'
import { dayMicros, days, makeEvents, start } from './events.ts'

/**
 * The windows of a training set by a probe per entity row and by merges, over events of 90 days of which 1 % of the customers have
 * half, in seconds; both answers are compared. `--url` takes a Postgres that has the world already.
 */
const { values: options } = parseArgs({
  options: {
    events: { type: 'string', default: '1000000' },
    customers: { type: 'string', default: '10000' },
    url: { type: 'string' },
    keep: { type: 'boolean', default: false },
    'hot-events': { type: 'string', default: '100000' },
    only: { type: 'string' },
  },
})
const events = Number(options.events)
const customers = Number(options.customers)
const hotEvents = Number(options['hot-events'])
const hotKey = customers + 1

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const transactions = eventSource('transactions', {
  eventTimestamp: 'at',
  eventId: 'id',
  fields: { customer_id: 'int64', amount: 'float64', merchant_id: 'string' },
})
const shared = { entity: customer, source: transactions, compute: stream(), online: false } as const
const hour = windowedView('hour', {
  ...shared,
  features: {
    transactions: count('1h'),
    spent: sum('amount', '1h'),
    average: mean('amount', '1h'),
    largest: max('amount', '1h'),
  },
})
const many = windowedView('many', {
  ...shared,
  features: {
    transactions: count('1h'),
    spent: sum('amount', '24h'),
    average: mean('amount', '7d'),
    deviation: stddev('amount', '7d'),
    largest: max('amount', '7d'),
    merchants: countDistinct('merchant_id', '24h'),
    last_merchant: last('merchant_id', '24h'),
  },
})
const registry = buildRegistry(
  [customer, transactions, hour, many].map((value, index) => ({ path: `definition ${index}`, value })),
)

function viewOf(name: string): StreamView {
  const view = registry.views.find((one) => one.name === name)
  if (view?.kind !== 'STREAM') throw new Error(`no streaming view ${name}`)
  return view
}

/** In key order. */
function spine(rows: number, keyOf: (index: number) => number): readonly EntityRow[] {
  const made = Array.from({ length: rows }, (_, index) => ({
    key: [keyOf(index)],
    asOf: start + Math.floor((mix(index, 7) / 2 ** 32) * days * dayMicros),
    knownAt: null,
  }))
  return made.sort((left, right) => (left.key[0] ?? 0) - (right.key[0] ?? 0))
}

const spread = (index: number): number =>
  index % 2 === 0 ? mix(index, 8) % (customers / 100) : mix(index, 8) % customers

interface Reading {
  readonly client: pg.PoolClient
  readonly visibleIn: string | null
}

async function probed({ client, visibleIn }: Reading, view: StreamView, rows: readonly EntityRow[]) {
  const answer: AsOfEntry[] = []
  for (let from = 0; from < rows.length; from += 20_000) {
    const join = { views: [view], rows: rows.slice(from, from + 20_000), visibleIn }
    const sql = asOfJoinSql('default', join)
    const { rows: raw } = await client.query<unknown[]>({
      text: sql.text,
      values: [...sql.values],
      rowMode: 'array',
    })
    answer.push(...(readAnswer(join, raw, () => {})[0] ?? []))
  }
  return answer
}

async function merged({ client, visibleIn }: Reading, view: StreamView, rows: readonly EntityRow[]) {
  const answer: AsOfEntry[] = rows.map(() => null)
  const columns = {
    ...{ length: rows.length, keys: [rows.map(({ key }) => key[0] ?? 0)] },
    ...{ asOf: Float64Array.from(rows, ({ asOf }) => asOf), knownAt: () => null },
  }
  const all = { from: 0, to: rows.length }
  await mergedWindows({ client, project: 'default', visibleIn }, view, columns, all, (place, entry) => {
    answer[place] = entry
  })
  return answer
}

/** Wall seconds, then those of the processors: Postgres', ours. */
async function timed<Answer>(
  work: () => Promise<Answer>,
  pid: number = process.pid,
): Promise<readonly [Answer, string]> {
  const [begun, server, own] = [performance.now(), cpuSeconds(pid), cpuSeconds(process.pid)]
  const answer = await work()
  const seconds = [
    (performance.now() - begun) / 1_000,
    cpuSeconds(pid) - server,
    cpuSeconds(process.pid) - own,
  ]
  return [answer, seconds.map((one) => one.toFixed(2)).join(' ')]
}

function isSame(one: unknown, other: unknown): boolean {
  if (typeof one === 'number' && typeof other === 'number')
    return Math.abs(one - other) <= 1e-9 * Math.max(1, Math.abs(one))
  return one === other
}

function differences(one: readonly AsOfEntry[], other: readonly AsOfEntry[]): number {
  return one.filter((entry, index) => {
    const against = other[index] ?? null
    if (entry === null || against === null || !('values' in entry) || !('values' in against))
      return entry !== against
    return (
      entry.eventTimestamp !== against.eventTimestamp ||
      entry.createdTimestamp !== against.createdTimestamp ||
      entry.values.some((value, place) => !isSame(value, against.values[place]))
    )
  }).length
}

function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')
  return (Number(fields[13]) + Number(fields[14])) / 100
}

const server = options.url === undefined ? await startDurablePostgres() : null
const url = options.url ?? server?.url ?? ''
if (server) {
  const [, seconds] = await timed(() =>
    makeEvents(url, { registry, view: viewOf('hour'), events, customers, hotEvents, hotKey }),
  )
  console.log(`${events} events made in ${seconds} s`)
}
const pool = testPool(url, 1, null)
const client = await pool.connect()
await client.query('begin isolation level repeatable read')
for (const setting of ['jit = off', 'enable_memoize = off', `timezone = 'UTC'`, `work_mem = '64MB'`])
  await client.query(`set local ${setting}`)
const {
  rows: [backend],
} = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
const pid = backend?.pid ?? 0
// As a training set does: what it reads can be read once more.
const {
  rows: [current],
} = await client.query<{ visible: string }>('select pg_current_snapshot()::text as visible')
const visibleIn = current?.visible ?? null
const worlds = [
  { name: 'spread', view: 'hour', rows: spine(20_000, spread) },
  { name: 'spread', view: 'many', rows: spine(5_000, spread) },
  { name: 'one hot key', view: 'hour', rows: spine(5_000, () => hotKey) },
  { name: 'one hot key', view: 'many', rows: spine(500, () => hotKey) },
]
for (const { name, view, rows } of worlds) {
  if (options.only !== undefined && !`${name} ${view}`.includes(options.only)) continue
  // Once before, for the buffers.
  await probed({ client, visibleIn }, viewOf(view), rows.slice(0, 500))
  const [byProbe, probeSeconds] = await timed(() => probed({ client, visibleIn }, viewOf(view), rows), pid)
  const [byMerge, mergeSeconds] = await timed(() => merged({ client, visibleIn }, viewOf(view), rows), pid)
  const wrong = differences(byProbe, byMerge)
  console.log(
    `${name}, ${view}: ${rows.length} rows, probes ${probeSeconds} s, merge ${mergeSeconds} s, ${wrong} differ, ${byProbe.filter((entry) => entry !== null).length} found`,
  )
  if (wrong > 0) process.exitCode = 1
}
client.release()
await pool.end()
if (options.keep) {
  console.log(url)
  await new Promise(() => {})
}
await server?.stop()
