import path from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { formatTimestamp, type Micros } from '../../src/definitions/timestamp.ts'
import { dayMicros, firstDay, merchants, type Sizes } from './world.ts'

/** What a table of transactions must come to: sums of whole numbers, so that they are exact in any order. */
export interface Totals {
  readonly rows: number
  readonly customers: string
  readonly cents: string
  readonly merchants: number
  readonly successes: number
  readonly micros: string
}

export interface TransactionFiles {
  /** Naive times, meant in UTC, as a data scientist's file has them. */
  readonly parquet: string
  /** The same rows in the same order, with their numbers from 1 in front; times with an offset. */
  readonly csv: string
  readonly totals: Totals
  /** By DuckDB over the Parquet file. */
  readonly customersInWindow: (snapshot: Micros) => Promise<number>
  readonly close: () => void
}

/** Where `totals` of a table is read from, but for its FROM: the same text for DuckDB and Postgres. */
export const totalsColumns = `count(*)::text, sum(customer_id)::text, sum(round(amount * 100)::bigint)::text,
  count(distinct merchant_id)::text, sum(case when success then 1 else 0 end)::text`

export function readTotals(columns: readonly unknown[]): Totals {
  const [rows, customers, cents, merchantCount, successes, micros] = columns.map(String)
  return {
    rows: Number(rows),
    customers: customers ?? '',
    cents: cents ?? '',
    merchants: Number(merchantCount),
    successes: Number(successes),
    micros: micros ?? '',
  }
}

/**
 * Writes both files by DuckDB: customers and merchants at random (by a hash of the row's number, so always the same),
 * times in even steps, in order, half a step behind midnight, so that no window begins or ends on an event.
 */
export async function makeTransactions(folder: string, sizes: Sizes): Promise<TransactionFiles> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '2' })
  const connection = await instance.connect()
  const [parquet, csv] = [path.join(folder, 'transactions.parquet'), path.join(folder, 'transactions.csv')]
  const step = (sizes.days * dayMicros) / sizes.events
  await connection.run(
    `copy (
      select (1 + hash(i) % ${sizes.customers})::bigint as customer_id,
        (hash(i + 1000000007) % 100000)::double / 100 as amount,
        'merchant_' || (hash(i + 2000000011) % ${merchants}) as merchant_id,
        hash(i + 3000000019) % 50 <> 0 as success,
        make_timestamp((${firstDay} + (i + 0.5) * ${step})::bigint) as timestamp
      from range(${sizes.events}) as t(i)
    ) to '${parquet}' (format parquet)`,
  )
  await connection.run(
    `copy (
      select row_number() over () as "offset", customer_id, amount, merchant_id, success,
        strftime(timestamp, '%Y-%m-%d %H:%M:%S.%f+00') as timestamp
      from read_parquet('${parquet}')
    ) to '${csv}' (format csv, header false)`,
  )
  const readRow = async (sql: string): Promise<readonly unknown[]> => {
    const reader = await connection.runAndReadAll(sql)
    return reader.getRows()[0] ?? []
  }
  return {
    parquet,
    csv,
    totals: readTotals(
      await readRow(
        `select ${totalsColumns}, sum(epoch_us(timestamp) - ${firstDay})::text from read_parquet('${parquet}')`,
      ),
    ),
    async customersInWindow(snapshot) {
      const [text] = await readRow(
        `select count(distinct customer_id)::text from read_parquet('${parquet}')
         where timestamp >= ${naive(snapshot - 30 * dayMicros)} and timestamp < ${naive(snapshot)}`,
      )
      return Number(text)
    },
    close() {
      connection.disconnectSync()
      instance.closeSync()
    },
  }
}

function naive(time: Micros): string {
  return `timestamp '${formatTimestamp(time).slice(0, -1)}'`
}
