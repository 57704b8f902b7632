import { readFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import type pg from 'pg'
import {
  count,
  entity,
  eventSource,
  featureView,
  max,
  mean,
  stream,
  sum,
  windowedView,
} from '../../src/definitions/featuregraph.ts'
import type { KeyValue } from '../../src/definitions/value.ts'
import { sortedRows } from '../../src/historical/training/sorted-rows.ts'
import { buildRegistry } from '../../src/registry/build-registry.ts'
import type { FeatureView } from '../../src/registry/registry.ts'
import type { AsOfColumns, AsOfSnapshot, Way } from '../../src/stores/as-of-snapshot.ts'
import type { EntityRows } from '../../src/stores/entity-rows.ts'
import { postgresAsOfSnapshots } from '../../src/stores/postgres/features/as-of-snapshot.ts'
import { managedTable } from '../../src/stores/postgres/tables/feature-table.ts'
import { ValueColumn } from '../../src/stores/value-column.ts'
import { testPool } from '../../test/services/test-pool.ts'
import { startDurablePostgres } from '../ingest/durable-postgres.ts'
import { range } from '../online/cells.ts'
import { endWith, runBench, wholeNumbers } from '../run-bench.ts'
import { mix } from '../stream/world.ts'
import { dayMicros, days, makeEvents, start } from './events.ts'

/**
 * The as-of join of a streaming view with windows of an hour, beside that of a plain view, of the same spine: rows in, columns
 * out. The plain answers are checked by the rule that made them, the windows of some rows by a probe each. `--keep` leaves the
 * database there and prints its URL, until it is interrupted; `--url` takes one that has the same world already.
 */
const usage = `tsx bench/historical/streaming.ts [options]
  --events 20000000
  --customers 100000
  --rows 100000             of the spine
  --rounds 3
  --checked 2000            rows whose windows are checked by a probe each
  --keep                    leave the database there and print its URL, until interrupted
  --url <url>               of one that has the same world already`

const {
  values: { help: _, ...options },
} = parseArgs({
  options: {
    events: { type: 'string', default: '20000000' },
    customers: { type: 'string', default: '100000' },
    rows: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '3' },
    checked: { type: 'string', default: '2000' },
    url: { type: 'string' },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const [events, customers, rows, rounds, checked] = [
  options.events,
  options.customers,
  options.rows,
  options.rounds,
  options.checked,
].map(Number) as [number, number, number, number, number]

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const transactions = eventSource('transactions', {
  eventTimestamp: 'at',
  eventId: 'id',
  fields: { customer_id: 'int64', amount: 'float64', merchant_id: 'string' },
})
const hour = windowedView('hour', {
  ...{ entity: customer, source: transactions, compute: stream(), online: false },
  features: {
    transactions: count('1h'),
    spent: sum('amount', '1h'),
    average: mean('amount', '1h'),
    largest: max('amount', '1h'),
  },
})
const daily = featureView('daily', {
  ...{ entity: customer, ttl: '90d', online: false },
  features: { a: 'float64', b: 'float64', c: 'float64', d: 'int64' },
})
const definitions = [customer, transactions, hour, daily]
const registry = buildRegistry(definitions.map((value) => ({ path: value.name, value })))
const viewOf = (name: string): FeatureView => {
  const view = registry.views.find((one) => one.name === name)
  if (!view) throw new TypeError(`the bench has no view ${name}`)
  return view
}

/** Of every customer and day one row, whose number is in it. */
async function fillDaily(pool: pg.Pool): Promise<void> {
  const view = viewOf('daily')
  if (view.kind === 'STREAM') throw new TypeError('daily is a plain view')
  const table = managedTable('default', view)
  await pool.query(
    `insert into ${table} (customer_id, event_timestamp, created_timestamp, a, b, c, d)
     select c, t, t, c / 7.0, c * 2.0, day, day from generate_series(0, ${days - 1}) as day, generate_series(0, ${customers - 1}) as c,
       lateral (select timestamptz '2026-08-01T00:00:00Z' + day * interval '1 day') as at(t)`,
  )
  await pool.query(`vacuum analyze ${table}`)
  await pool.query('checkpoint')
}

function spine(): EntityRows {
  const keys = new ValueColumn<KeyValue>('int64', rows)
  const times = new Float64Array(rows)
  for (let row = 0; row < rows; row += 1) {
    keys.set(row, row % 2 === 0 ? mix(row, 8) % (customers / 100) : mix(row, 8) % customers)
    times[row] = start + Math.floor((mix(row, 7) / 2 ** 32) * days * dayMicros)
  }
  return sortedRows({ rows, keys: [keys], times, requests: [], columns: [], done: 1 }, [[0]], { kind: 'ALL' })
    .rows
}

function checkDaily({ eventTimestamps, columns }: AsOfColumns, { length, asOf, keys }: EntityRows): void {
  for (let row = 0; row < length; row += 1) {
    const day = Math.floor(((asOf[row] ?? 0) - start) / dayMicros)
    const [number, key] = [columns[3]?.at(row), Number(keys[0]?.[row])]
    if (eventTimestamps[row] !== start + day * dayMicros || number !== day || columns[1]?.at(row) !== key * 2)
      throw new Error(`WRONG ROWS: of customer ${key} at ${asOf[row]} came day ${number}`)
  }
}

/** By a probe of each of some rows: sums of floats are added in another order. */
async function checkHour(snapshot: AsOfSnapshot, found: AsOfColumns, all: EntityRows): Promise<number> {
  const step = Math.max(1, Math.floor(all.length / checked))
  const places = Array.from({ length: Math.floor(all.length / step) }, (_, index) => index * step)
  const some: EntityRows = {
    length: places.length,
    keys: all.keys.map((column) => places.map((place) => column[place] ?? 0)),
    asOf: Float64Array.from(places, (place) => all.asOf[place] ?? 0),
    knownAt: () => null,
  }
  const [probed] = await snapshot.asOfColumns({ views: [viewOf('hour')], ways: ['LATERAL'], rows: some })
  let withEvents = 0
  places.forEach((place, row) => {
    found.columns.forEach((column, at) => {
      const [one, other] = [column.at(place), probed?.columns[at]?.at(row) ?? null]
      const isSame =
        typeof one === 'number' && typeof other === 'number'
          ? Math.abs(one - other) <= 1e-9 * Math.max(1, Math.abs(one))
          : one === other
      if (!isSame) throw new Error(`WRONG ROWS: feature ${at} is ${one}, by a probe ${other}`)
    })
    if (Number(found.columns[0]?.at(place) ?? 0) > 0) withEvents += 1
  })
  return withEvents
}

/** User and system time of a process, in seconds. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')
  return (Number(fields[13]) + Number(fields[14])) / 100
}

/** Of each of the server's sessions. */
async function sessionsCpu(pool: pg.Pool): Promise<ReadonlyMap<number, number>> {
  const { rows: found } = await pool.query<{ pid: number }>(
    `select pid from pg_stat_activity where backend_type = 'client backend'`,
  )
  return new Map(found.map(({ pid }) => [pid, cpuOf(pid)]))
}

function used(after: ReadonlyMap<number, number>, before: ReadonlyMap<number, number>): number {
  return [...after].reduce((sum, [pid, seconds]) => sum + seconds - (before.get(pid) ?? 0), 0)
}

async function measure(): Promise<void> {
  const server = options.url === undefined ? await startDurablePostgres() : null
  if (server) endWith(server.stop)
  const url = options.url ?? server?.url ?? ''
  const view = viewOf('hour')
  if (view.kind !== 'STREAM') throw new TypeError('hour is a streaming view')
  if (server)
    await makeEvents(url, { registry, view, events, customers, hotEvents: 0, hotKey: customers + 1 })
  const pool = testPool(url, 3, null)
  endWith(() => pool.end())
  if (server) await fillDaily(pool)
  process.stderr.write(`${events} events and ${customers * days} feature rows are stored\n`)
  const all = spine()
  const snapshots = postgresAsOfSnapshots(pool, { project: 'default', countNonFinite: () => {} })
  const seconds = { hour: [] as number[], daily: [] as number[] }
  const cpu = { hour: [] as number[], daily: [] as number[] }
  const serverCpu = { hour: [] as number[], daily: [] as number[] }
  let withEvents = 0
  for (let round = 0; round <= rounds; round += 1) {
    const ways: readonly (readonly ['hour' | 'daily', Way])[] = [
      ['daily', 'LATERAL'],
      ['hour', 'MERGE'],
    ]
    for (const [name, way] of ways) {
      const before = await sessionsCpu(pool)
      const [began, own] = [performance.now(), cpuOf(process.pid)]
      const snapshot = await snapshots.open({ connections: 2, visibleIn: null, files: [] })
      const [found] = await snapshot.asOfColumns({ views: [viewOf(name)], ways: [way], rows: all })
      const took = (performance.now() - began) / 1_000
      const ownUsed = cpuOf(process.pid) - own
      const serverUsed = used(await sessionsCpu(pool), before)
      if (found && name === 'daily') checkDaily(found, all)
      if (found && name === 'hour' && round === 0) withEvents = await checkHour(snapshot, found, all)
      await snapshot.close()
      // Round 0 warms and is not counted.
      if (round === 0) continue
      seconds[name].push(took)
      cpu[name].push(ownUsed)
      serverCpu[name].push(serverUsed)
    }
  }
  const ratio = range(seconds.hour.map((one, round) => one / (seconds.daily[round] ?? Number.NaN)))
  const shown = (name: 'hour' | 'daily'): string =>
    `${range(seconds[name]).median.toFixed(2)} s (${range(cpu[name]).median.toFixed(2)} s of our CPU, ${range(serverCpu[name]).median.toFixed(2)} s of Postgres')`
  process.stdout.write(
    `${all.length} entity rows: plain view ${shown('daily')}, windows of an hour ${shown('hour')}: ${ratio.median.toFixed(2)} times [${ratio.lowest.toFixed(2)}-${ratio.highest.toFixed(2)}]; ${withEvents} of the ${checked} checked rows have events in their hour; medians of ${rounds} rounds, load ${loadavg()[0]?.toFixed(1)}\n`,
  )
  if (options.keep) {
    process.stderr.write(`${url}\n`)
    await new Promise(() => {})
  }
}

await runBench(
  usage,
  () => {
    const { url: _url, keep: _keep, ...numbers } = options
    return wholeNumbers(numbers)
  },
  measure,
)
