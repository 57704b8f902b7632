import { createReadStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { DuckDBConnection } from '@duckdb/node-api'
import { from as copyFrom } from 'pg-copy-streams'
import { postgresRegistryStore } from '../../src/stores/postgres/system/registry-store.ts'
import { managedTable } from '../../src/stores/postgres/tables/feature-table.ts'
import { migrate } from '../../src/stores/postgres/tables/migrate.ts'
import { migrationsFolder } from '../../test/services/template.ts'
import { testOfflineStore, testPool } from '../../test/services/test-pool.ts'
import { firstDay, type Sizes, type World } from './world.ts'

/** The feature rows as Parquet files, and the same rows in the gateway's tables. */
export interface Tables {
  readonly daily: string
  readonly momentary: string
}

/** A number from 0 to 1 that follows from `seed` and the row's number. */
const random = (row: string, seed: number): string =>
  `(hash(${row} * 1000 + ${seed}) / 18446744073709551615.0)`
const some = (row: string, seed: number, expression: string): string =>
  `case when ${random(row, seed)} < 0.01 then null else ${expression} end`
const number = (row: string, seed: number): string =>
  some(row, seed + 50, `round(${random(row, seed)} * 10000, 2)`)
const integer = (row: string, seed: number): string =>
  some(row, seed + 50, `floor(${random(row, seed)} * 100)::BIGINT`)

/** Of one row in a hundred there are two, of the same key and time; the one that was created later counts. */
function withTies(rows: string, values: (row: string) => string): string {
  return `select customer_id, event_timestamp, event_timestamp + to_seconds(60 + 60 * tie) as created_timestamp, ${values('(n * 2 + tie)')}
    from (${rows}) as r, (values (0), (1)) as t(tie) where tie = 0 or ${random('n', 7)} < 0.01`
}

export async function makeTables(
  duckdb: DuckDBConnection,
  {
    url,
    folder,
    sizes,
    world,
  }: { readonly url: string; readonly folder: string; readonly sizes: Sizes; readonly world: World },
): Promise<Tables> {
  const { customers, days, momentary } = sizes
  const dailyRows = `select n, n % ${customers} + 1 as customer_id,
    timestamptz '${firstDay} 00:00:00+00' + to_days((n // ${customers})::INTEGER) as event_timestamp
    from range(${customers * days}) as numbers(n)`
  const span = days * 86_400
  const total = customers * momentary
  // In the order of time, as rows arrive.
  const momentaryRows = `select n, floor(${random('n', 1)} * ${customers})::BIGINT + 1 as customer_id,
    timestamptz '${firstDay} 00:00:00+00' + to_microseconds(((n + ${random('n', 2)}) * ${(span / total) * 1_000_000})::BIGINT) as event_timestamp
    from range(${total}) as numbers(n)`
  const files = {
    daily: path.join(folder, 'daily.parquet'),
    momentary: path.join(folder, 'momentary.parquet'),
  }
  const queries = {
    daily: withTies(
      dailyRows,
      (row) =>
        `${number(row, 11)} as f1, ${number(row, 12)} as f2, ${number(row, 13)} as f3, ${integer(row, 14)} as i1, ${integer(row, 15)} as i2`,
    ),
    momentary: withTies(
      momentaryRows,
      (row) => `${number(row, 21)} as g1, ${number(row, 22)} as g2, ${integer(row, 23)} as n1`,
    ),
  }
  const pool = testPool(url, 2, null)
  try {
    await migrate(pool, migrationsFolder)
    await postgresRegistryStore(pool, 'default').ensureViews(world.registry.views.map(({ name }) => name))
    const offline = testOfflineStore(url)
    await offline.ensureTables(world.registry.views, []).finally(offline.close)
    for (const name of ['daily', 'momentary'] as const) {
      await duckdb.run(`copy (${queries[name]}) to '${files[name]}' (format parquet, compression zstd)`)
      const csv = path.join(folder, `${name}.csv`)
      await duckdb.run(`copy (select * from read_parquet('${files[name]}')) to '${csv}' (format csv, header)`)
      const table = managedTable('default', world[name])
      const columns = [
        'customer_id',
        'event_timestamp',
        'created_timestamp',
        ...world[name].features.map((one) => one.name),
      ]
      const client = await pool.connect()
      try {
        const into = client.query(
          copyFrom(`copy ${table} (${columns.join(', ')}) from stdin (format csv, header)`),
        )
        await pipeline(createReadStream(csv), into)
        await client.query(`vacuum (analyze) ${table}`)
      } finally {
        client.release()
      }
      await rm(csv)
    }
    await pool.query('checkpoint')
    return files
  } finally {
    await pool.end()
  }
}

/**
 * Entity rows with a label: most at any time, three of ten within 90 minutes behind a row of the second table, some of unknown
 * customers, at the very time of a daily row, or twice.
 */
export async function makeSpine(
  duckdb: DuckDBConnection,
  {
    rows,
    folder,
    sizes,
    tables,
  }: { readonly rows: number; readonly folder: string; readonly sizes: Sizes; readonly tables: Tables },
): Promise<string> {
  const { customers, days } = sizes
  const file = path.join(folder, `spine-${rows}.parquet`)
  const share = Math.min(100, (100 * rows) / (customers * sizes.momentary))
  await duckdb.run(`create or replace temp table near as
    select row_number() over () - 1 as m, customer_id, event_timestamp from
    (select customer_id, event_timestamp from read_parquet('${tables.momentary}') where hash(event_timestamp) % 10000 < ${Math.ceil(share * 100)})`)
  const counted = await duckdb.runAndReadAll('select count(*) from near')
  const near = Math.max(1, Number(counted.getRows()[0]?.[0]))
  await duckdb.run(`copy (
    with drawn as (select case when ${random('n', 31)} < 0.01 and n > 0 then n - 1 else n end as d, n from range(${rows}) as numbers(n))
    select
      case when ${random('d', 32)} < 0.02 then ${customers} + 1 + d when ${random('d', 33)} < 0.3 then near.customer_id
        else floor(${random('d', 34)} * ${customers})::BIGINT + 1 end as customer_id,
      case when ${random('d', 33)} < 0.3 then near.event_timestamp + to_seconds(floor(${random('d', 35)} * 5400)::BIGINT)
        when ${random('d', 36)} < 0.02 then timestamptz '${firstDay} 00:00:00+00' + to_days(floor(${random('d', 37)} * ${days})::INTEGER)
        else timestamptz '${firstDay} 00:00:00+00' + to_seconds(floor(${random('d', 38)} * ${days * 86_400})::BIGINT) end as event_timestamp,
      round(${random('d', 39)} * 500, 2) as transaction_amount,
      ${random('n', 40)} < 0.02 as label
    from drawn left join near on near.m = drawn.d % ${near} order by n
  ) to '${file}' (format parquet)`)
  return file
}
