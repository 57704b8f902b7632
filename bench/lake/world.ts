import type { DuckDBConnection } from '@duckdb/node-api'
import type { FileJoin, RowRead } from '../../src/stores/file-join.ts'
import type { ParquetOfflineView } from '../../src/stores/offline-view.ts'

export interface Sizes {
  readonly customers: number
  /** Each customer has a row a day, one in a hundred of them twice: with a later created timestamp. */
  readonly days: number
  /** Rows of each customer at any time. */
  readonly momentary: number
  /** Of the spine. */
  readonly rows: number
}

export const features = {
  daily: { f1: 'float64', f2: 'float64', f3: 'float64', i1: 'int32', i2: 'int32' },
  momentary: { g1: 'float64', g2: 'float64', n1: 'int32' },
} as const
export const ttlSeconds = { daily: 7_776_000, momentary: 3_600 } as const
export type Table = keyof typeof features

const start = `timestamptz '2026-01-01 00:00:00+00'`

/** Two views and a spine as Parquet files below the folder, in the order of their times. */
export async function makeWorld(
  duckdb: DuckDBConnection,
  folder: string,
  { customers, days, momentary, rows }: Sizes,
): Promise<void> {
  const moment = `${start} + to_microseconds((random() * ${days} * 86400e6)::BIGINT)`
  await duckdb.run(`select setseed(0.5)`)
  await duckdb.run(`copy (
    select k as customer_id, ${start} + to_days(d::INTEGER) as event_timestamp, ${start} + to_days(d::INTEGER) + to_seconds(t * 60) as created_timestamp,
      (d * ${customers} + k) * 2 + t as row_id, random() as f1, random() as f2, random() as f3, (random() * 100)::INTEGER as i1, (random() * 100)::INTEGER as i2
    from range(${days}) as r(d), range(${customers}) as q(k), range(2) as z(t) where t = 0 or (k * 7 + d) % 100 = 0
  ) to '${folder}/daily.parquet' (format parquet, compression zstd)`)
  await duckdb.run(`copy (
    select k as customer_id, ${moment} as event_timestamp, null::TIMESTAMPTZ as created_timestamp, n * ${customers} + k as row_id, random() as g1, random() as g2, (random() * 100)::INTEGER as n1
    from range(${momentary}) as r(n), range(${customers}) as q(k) order by event_timestamp
  ) to '${folder}/momentary.parquet' (format parquet, compression zstd)`)
  await duckdb.run(`copy (
    select (random() * ${Math.ceil(customers * 1.02)})::BIGINT as customer_id, ${moment} as event_timestamp, random() > 0.5 as label, i as n from range(${rows}) as r(i)
  ) to '${folder}/spine.parquet' (format parquet, compression zstd)`)
}

/** The training set as an engine takes it. */
export function joinOf(folder: string, out: string): FileJoin {
  const reads = (['daily', 'momentary'] as const).map((table) => readOf(folder, table))
  return {
    spine: {
      ...{
        path: `${folder}/spine.parquet`,
        rows: null,
        time: 'event_timestamp',
        timezone: null,
        requests: [],
      },
      columns: ['customer_id', 'event_timestamp', 'label', 'n'],
      keys: [{ column: 'customer_id', type: 'int64' }],
    },
    ...{ reads, knownAt: { kind: 'ALL' }, vector: false, statuses: false, takenAt: Date.now() * 1_000, out },
    format: 'parquet',
    entries: reads.flatMap((read, index) =>
      read.features.map(({ name, type }, feature) => ({
        ...{ kind: 'feature' as const, name, type, default: 0, read: index, feature, allowed: null },
      })),
    ),
  }
}

function readOf(folder: string, table: Table): RowRead {
  const path = `${folder}/${table}.parquet`
  const own = Object.entries(features[table]).map(([name, type]) => ({ name, type }))
  const view: ParquetOfflineView = {
    ...{ kind: 'PLAIN', id: table, name: table },
    entity: { joinKeys: [{ name: 'customer_id', type: 'int64' }] },
    features: own.map(({ name, type }) => ({ name, id: name, type, columns: [{ name, type }] })),
    source: {
      ...{ kind: 'parquet', name: table, path, format: 'parquet', eventTimestamp: 'event_timestamp' },
      ...{ createdTimestamp: 'created_timestamp', rowId: 'row_id', columns: {}, empty: {}, partitions: {} },
    },
  }
  return {
    ...{ kind: 'ROWS', view, notKnown: { kind: 'NONE' }, ttlMicros: ttlSeconds[table] * 1e6 },
    keys: [{ name: 'customer_id', type: 'int64', place: 0 }],
    files: { of: table, path, files: [{ path, bytes: 0, checksum: '' }] },
    features: own.map((one) => ({ ...one, emptyValue: null })),
  }
}
