import { rm } from 'node:fs/promises'
import path from 'node:path'
import type { DuckDBConnection } from '@duckdb/node-api'
import type { WindowedAggregation } from '../../src/definitions/windowed-aggregation.ts'
import type { JobEngine } from '../../src/stores/job-engine.ts'
import { snapshotsSql } from '../../src/stores/window-sql/snapshots-sql.ts'

const day = 86_400_000_000

/** Events as `featuregraph export` writes them, spread over `days`. */
export async function makeEvents(
  duckdb: DuckDBConnection,
  folder: string,
  { events, customers, days }: { readonly events: number; readonly customers: number; readonly days: number },
): Promise<void> {
  await duckdb.run(`copy (
    select *, event_timestamp as _counted_at, event_timestamp as _stored_at, 'transactions' as _topic, 0::INTEGER as _partition, i as _offset, true as counts
    from (select i, (random() * ${customers})::BIGINT as customer_id, random() * 100 as amount, 'm' || (random() * 500)::INTEGER as merchant_id,
      timestamptz '2026-01-01 00:00:00+00' + to_microseconds((i / ${events} * ${days} * 86400e6)::BIGINT) as event_timestamp from range(${events}) as r(i))
  ) to '${folder}/part.parquet' (format parquet, compression zstd)`)
}

const field = (name: string, type: 'float64' | 'string') => ({ name, type })
const aggregation = (
  aggregate: WindowedAggregation['aggregate'],
  of: WindowedAggregation['field'],
  days: number,
): WindowedAggregation => ({ aggregate, field: of, windowMicros: days * day, hopMicros: day, where: [] })

const view = {
  name: 'customer_transactions',
  entity: { joinKeys: [{ name: 'customer_id', type: 'int64' as const }] },
  events: {
    fields: [
      { name: 'customer_id', type: 'int64' as const },
      field('amount', 'float64'),
      field('merchant_id', 'string'),
    ],
  },
  features: [
    { name: 'total_30d', type: 'float64' as const },
    { name: 'mean_30d', type: 'float64' as const },
    { name: 'most_30d', type: 'float64' as const },
    { name: 'count_7d', type: 'int64' as const },
    { name: 'merchants_30d', type: 'int64' as const },
  ],
  aggregations: [
    aggregation('sum', field('amount', 'float64'), 30),
    aggregation('mean', field('amount', 'float64'), 30),
    aggregation('max', field('amount', 'float64'), 30),
    aggregation('count', null, 7),
    aggregation('countDistinct', field('merchant_id', 'string'), 30),
  ],
  emptyValues: [0, null, null, 0, 0],
}

/** Daily snapshots behind the first day, by an engine of ours. */
export async function snapshotsByEngine(
  engine: JobEngine,
  {
    events,
    output,
    snapshots,
    from,
  }: { readonly events: string; readonly output: string; readonly snapshots: number; readonly from: number },
): Promise<void> {
  await rm(output, { recursive: true, force: true })
  const times = Array.from({ length: snapshots }, (_, index) => from + (index + 1) * day)
  const sql = snapshotsSql(view, { times, previous: null, events, output }, engine.name)
  await engine.run(
    { name: `bench ${path.basename(output)}`, sql, inputs: [events], output },
    { signal: new AbortController().signal, onLog: () => {} },
  )
}

/** As it is written by hand: tiles of a day, each joined to the snapshots that hold it. */
export async function snapshotsByHand(
  duckdb: DuckDBConnection,
  {
    events,
    output,
    snapshots,
    from,
  }: { readonly events: string; readonly output: string; readonly snapshots: number; readonly from: number },
): Promise<void> {
  await duckdb.run(`copy (
    with tiles as (
      select customer_id, (epoch_us(event_timestamp) - ${from}) // ${day} as day, sum(amount) as total, count(amount) as n, max(amount) as most, count(*) as c, list(distinct merchant_id) as merchants
      from read_parquet('${events}/*.parquet') group by all
    )
    select customer_id, make_timestamptz(${from} + s * ${day}) as event_timestamp, sum(total) as total_30d, sum(total) / sum(n) as mean_30d, max(most) as most_30d,
      coalesce(sum(c) filter (day >= s - 7), 0)::BIGINT as count_7d, len(list_distinct(flatten(list(merchants)))) as merchants_30d
    from tiles join range(1, ${snapshots + 1}) as r(s) on day >= s - 30 and day < s
    group by customer_id, s
  ) to '${output}' (format parquet, compression zstd)`)
}

export async function differingSnapshots(
  duckdb: DuckDBConnection,
  ours: string,
  theirs: string,
): Promise<number> {
  const reader = await duckdb.runAndReadAll(
    `select count(*) from (select * from read_parquet('${ours}/**/*.parquet') where not closing) as o full join read_parquet('${theirs}') as t
       on o.customer_id = t.customer_id and o.event_timestamp = t.event_timestamp
     where o.customer_id is null or t.customer_id is null or o.count_7d <> t.count_7d or o.merchants_30d <> t.merchants_30d or o.most_30d <> t.most_30d
       or abs(o.total_30d - t.total_30d) > 1e-9 * t.total_30d or abs(o.mean_30d - t.mean_30d) > 1e-9 * t.mean_30d`,
  )
  return Number(reader.getRows()[0]?.[0])
}
