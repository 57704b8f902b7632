import type { DuckDBConnection } from '@duckdb/node-api'
import type { Tables } from './tables.ts'
import { featureNames, ttlSeconds } from './world.ts'

/** Of rows of one key and time the one that was created last: the tie rule, which ASOF JOIN has not. */
const untied = (file: string): string =>
  `(select * from read_parquet('${file}') qualify row_number() over (partition by customer_id, event_timestamp order by created_timestamp desc nulls last) = 1)`

const within = (table: string, seconds: number, names: readonly string[]): string =>
  names
    .map(
      (name) =>
        `case when s.event_timestamp - ${table}.event_timestamp <= to_seconds(${seconds}) then ${table}.${name} end as ${name}`,
    )
    .join(', ')

/** DuckDB's own as-of join over Parquet files of the same rows, to a Parquet file; its rows are in no order. In seconds. */
export async function joinByDuckDb(
  duckdb: DuckDBConnection,
  { daily, momentary }: Tables,
  spine: string,
  out: string,
): Promise<number> {
  const started = performance.now()
  await duckdb.run(`copy (
    select s.*, ${within('a', ttlSeconds.daily, featureNames.slice(0, 5))}, ${within('b', ttlSeconds.momentary, featureNames.slice(5))}
    from (select *, file_row_number as place from read_parquet('${spine}', file_row_number = true)) as s
    asof left join ${untied(daily)} as a on s.customer_id = a.customer_id and s.event_timestamp >= a.event_timestamp
    asof left join ${untied(momentary)} as b on s.customer_id = b.customer_id and s.event_timestamp >= b.event_timestamp
  ) to '${out}' (format parquet, compression zstd)`)
  return (performance.now() - started) / 1_000
}

/** How many of our rows, in the spine's order, are not those of the peer's file, by its column `place`. */
export async function differingRows(duckdb: DuckDBConnection, ours: string, theirs: string): Promise<number> {
  const differs = featureNames.map((name) => `o.${name} is distinct from t.${name}`).join(' or ')
  const reader = await duckdb.runAndReadAll(
    `select (select count(*) from read_parquet('${ours}', file_row_number = true) as o full join read_parquet('${theirs}') as t on o.file_row_number = t.place
      where o.customer_id is distinct from t.customer_id or o.event_timestamp is distinct from t.event_timestamp or ${differs})`,
  )
  return Number(reader.getRows()[0]?.[0])
}
