import type { DuckDBConnection } from '@duckdb/node-api'
import { features, type Table, ttlSeconds } from './world.ts'

/** Of rows of one key and time the one that was created last: the tie rule, which ASOF JOIN has not. */
const untied = (file: string): string =>
  `(select * from read_parquet('${file}') qualify row_number() over (partition by customer_id, event_timestamp order by created_timestamp desc nulls last, row_id desc) = 1)`

const within = (table: Table): string =>
  Object.keys(features[table])
    .map(
      (name) =>
        `case when s.event_timestamp - ${table}.event_timestamp <= to_seconds(${ttlSeconds[table]}) then ${table}.${name} end as ${name}`,
    )
    .join(', ')

/** As it is written by hand: DuckDB's ASOF JOIN, to a Parquet file with the column `place`. */
export async function bareAsOf(duckdb: DuckDBConnection, folder: string, out: string): Promise<void> {
  const joins = (['daily', 'momentary'] as const).map(
    (table) =>
      `asof left join ${untied(`${folder}/${table}.parquet`)} as ${table} on s.customer_id = ${table}.customer_id and s.event_timestamp >= ${table}.event_timestamp`,
  )
  await duckdb.run(`copy (
    select s.*, ${within('daily')}, ${within('momentary')}
    from (select *, file_row_number as place from read_parquet('${folder}/spine.parquet', file_row_number = true)) as s
    ${joins.join('\n')}
  ) to '${out}' (format parquet, compression zstd)`)
}

/** How many of our rows, in the spine's order, are not those of a peer's file, by its column `place`. */
export async function differingRows(duckdb: DuckDBConnection, ours: string, theirs: string): Promise<number> {
  const names = [...Object.keys(features.daily), ...Object.keys(features.momentary)]
  const differs = names.map((name) => `o.${name} is distinct from t.${name}`).join(' or ')
  const reader = await duckdb.runAndReadAll(
    `select count(*) from read_parquet('${ours}', file_row_number = true) as o full join read_parquet('${theirs}') as t on o.file_row_number = t.place
     where o.customer_id is distinct from t.customer_id or o.event_timestamp is distinct from t.event_timestamp or ${differs}`,
  )
  return Number(reader.getRows()[0]?.[0])
}
