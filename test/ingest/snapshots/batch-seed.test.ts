import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DuckDBInstance } from '@duckdb/node-api'
import { batch, count, countDistinct, entity, eventSource, max, mean, sum, windowedView } from 'featuregraph'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { formatTimestamp, type Micros } from '../../../src/definitions/timestamp.ts'
import type { Value } from '../../../src/definitions/value.ts'
import type { TestEvent } from '../../oracle/store-events.ts'
import { pandas } from '../../services/pandas.ts'
import { type BatchBench, type BatchWorld, day, hour, monday, openBatchBench, sale } from './batch-world.ts'

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const transactions = eventSource('transactions', {
  eventTimestamp: 'timestamp',
  fields: { customer_id: 'int64', amount: 'float64', merchant_id: 'string' },
})
const view = windowedView('customer_transaction_features', {
  entity: customer,
  source: transactions,
  compute: batch({ every: '1d' }),
  features: {
    total_transactions_30d: sum('amount', '30d'),
    avg_transaction_amount_30d: mean('amount', '30d'),
    max_transaction_amount_30d: max('amount', '30d'),
    transaction_count_7d: count('7d'),
    unique_merchants_30d: countDistinct('merchant_id', '30d'),
  },
})

const customers = 40
const snapshots = [1, 2, 9, 30, 31, 45, 60].map((number) => monday + number * day)

/** Sixty days of transactions, none at midnight; some customers stop early. */
function someTransactions(): TestEvent[] {
  let state = 7
  const random = (): number => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
  return Array.from({ length: 6_000 }, () => {
    const id = 1 + Math.floor(random() * customers)
    const days = id % 4 === 0 ? 10 : id % 4 === 1 ? 40 : 60
    const time = monday + Math.floor(random() * days) * day + 1 + Math.floor(random() * (day - 1))
    return sale(id, time, {
      amount: Math.round(random() * 100_000) / 100,
      merchant_id: `m_${Math.floor(random() * 30)}`,
    })
  }).sort((left, right) => left.at - right.at)
}

type Features = readonly (Value | null)[]

/** By snapshot and customer; a customer without transactions in 30 days is not there. */
type Oracle = (file: string, times: readonly Micros[]) => Promise<Map<string, Features>>

function placeOf(time: string, id: unknown): string {
  return `${time.slice(0, 10)} ${Number(id)}`
}

/** The seed's own code where there is Python, else the same rule in DuckDB's SQL. */
async function chooseOracle(): Promise<Oracle> {
  const python = await pandas()
  if (python === null) return duckdbOracle
  return async (file, times) => {
    const script = fileURLToPath(new URL('seed_features.py', import.meta.url))
    const printed = await python(script, file, ...times.map(naive))
    const rows = printed.trimEnd().split('\n')
    return new Map(
      rows.map((line) => {
        const [time, id, ...features] = JSON.parse(line) as [string, number, ...(number | null)[]]
        return [placeOf(time, id), features]
      }),
    )
  }
}

const duckdbOracle: Oracle = async (file, times) => {
  const connection = await (await DuckDBInstance.create()).connect()
  const found = new Map<string, Features>()
  for (const time of times) {
    const at = `timestamp '${naive(time)}'`
    const result = await connection.runAndReadAll(
      `select customer_id, sum(amount), avg(amount), max(amount),
         nullif(count(*) filter (where timestamp > ${at} - interval 7 day), 0), count(distinct merchant_id)
       from read_csv('${file}', types = {'timestamp': 'TIMESTAMP'})
       where timestamp > ${at} - interval 30 day and timestamp <= ${at} group by all`,
    )
    for (const [id, ...features] of result.getRows())
      found.set(
        placeOf(naive(time), id),
        features.map((value) => (value === null ? null : Number(value))),
      )
  }
  return found
}

function naive(time: Micros): string {
  return formatTimestamp(time).slice(0, -1)
}

let bench: BatchBench
let oracle: Oracle
let folder: string
beforeAll(async () => {
  ;[bench, oracle, folder] = await Promise.all([
    openBatchBench(),
    chooseOracle(),
    mkdtemp(join(tmpdir(), 'seed-features-')),
  ])
})
afterAll(async () => {
  await bench?.close()
  await rm(folder, { recursive: true, force: true })
})

async function featuresOf(world: BatchWorld, time: Micros, id: number): Promise<Features | null> {
  const row = await world.asOf([id], time)
  return row === null || row.closing ? null : row.values
}

async function compare(events: readonly TestEvent[]) {
  const world = await bench.makeWorld(customer, transactions, view)
  world.time.now = monday + 90 * day
  await world.keep(...events)
  await world.at(...snapshots)
  const file = join(folder, 'transactions.csv')
  const lines = events.map(({ at, fields }) =>
    [fields['customer_id'], fields['amount'], fields['merchant_id'], naive(at)].join(','),
  )
  await writeFile(file, ['customer_id,amount,merchant_id,timestamp', ...lines].join('\n'))
  return { world, theirs: await oracle(file, snapshots) }
}

describe('the five batch features of the fraud example', () => {
  it('are those of the pandas pipeline, value by value, but for a week without transactions: 0, not NaN', async () => {
    const { world, theirs } = await compare(someTransactions())
    let idle = 0
    let compared = 0
    for (const time of snapshots) {
      for (let id = 1; id <= customers; id += 1) {
        const ours = await featuresOf(world, time, id)
        const seed = theirs.get(placeOf(naive(time), id)) ?? null
        if (ours === null || seed === null) {
          expect(ours).toBe(seed)
          continue
        }
        const [total, average, largest, count7d, merchants] = seed
        if (count7d === null) idle += 1
        compared += 1
        const context = `${naive(time)} ${id}`
        expect(Number(ours[0]), context).toBeCloseTo(Number(total), 6)
        expect(Number(ours[1]), context).toBeCloseTo(Number(average), 6)
        expect(ours.slice(2), context).toEqual([largest, count7d ?? 0, merchants])
      }
    }
    expect(idle).toBeGreaterThan(3)
    expect(compared).toBeGreaterThan(150)
  })

  it('differ where an event lies on a boundary: a window here begins with it and ends before it', async () => {
    const [first = 0] = snapshots
    const { world, theirs } = await compare([
      sale(1, first - 30 * day, { amount: 1, merchant_id: 'a' }),
      sale(1, first - hour, { amount: 10, merchant_id: 'a' }),
      sale(1, first, { amount: 100, merchant_id: 'a' }),
    ])
    expect((await featuresOf(world, first, 1))?.[0]).toBe(11)
    expect(theirs.get(placeOf(naive(first), 1))?.[0]).toBe(110)
  })
})
