import { DuckDBInstance } from '@duckdb/node-api'
import { Redis } from 'ioredis'
import { openRowLayouts } from '../../src/online/row-layouts.ts'
import { onlineKeySuffix } from '../../src/stores/online-value/online-key.ts'
import { readSlot, slotsOf } from '../../src/stores/online-value/packed-row.ts'
import { postgresGuardRecord } from '../../src/stores/postgres/system/guard-record.ts'
import { postgresRegistryStore } from '../../src/stores/postgres/system/registry-store.ts'
import type { Bench } from './bench.ts'
import type { FeatureValues } from './database.ts'
import { firstDay } from './world.ts'

/** When all of them are from. */
export const materializedTime = firstDay

const time = `timestamptz '2025-01-01 00:00:00+00'`

/** One row of every customer from 1 to `customers`: the same text for DuckDB and Postgres. */
const rowsOf = (customers: number): string => `select i::bigint as customer_id, ${time} as event_timestamp,
  ${time} + interval '30 minutes' as created_timestamp,
  (i::bigint * 7919 % 1000000)::float8 / 100 as total_transactions_30d,
  (i::bigint * 104729 % 100000)::float8 / 100 as avg_transaction_amount_30d,
  (i::bigint * 1299709 % 100000)::float8 / 100 as max_transaction_amount_30d,
  (i % 90)::bigint as transaction_count_7d, (1 + i % 40)::bigint as unique_merchants_30d
from generate_series(1, ${customers}) as t(i)`

/** Fills a project's feature table. */
export async function fillOffline({ database }: Bench, project: string, customers: number): Promise<void> {
  const columns = `customer_id, event_timestamp, created_timestamp, total_transactions_30d,
    avg_transaction_amount_30d, max_transaction_amount_30d, transaction_count_7d, unique_merchants_30d`
  await database.pool.query(
    `insert into ${database.features(project)} (${columns}) ${rowsOf(customers)} order by customer_id`,
  )
  await database.vacuum(database.features(project))
}

/** The same rows for Feast. */
export async function writeParquet(file: string, customers: number): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  await connection.run(`set timezone = 'UTC'`)
  await connection.run(`copy (${rowsOf(customers)}) to '${file}' (format parquet)`)
  connection.disconnectSync()
  instance.closeSync()
}

/** What Redis holds: its keys, and some customers' features, unpacked. */
export async function readOnline(
  { database, world, redisUrl }: Bench,
  project: string,
  ids: readonly number[],
): Promise<{ readonly keys: number; readonly rows: ReadonlyMap<number, FeatureValues> }> {
  const store = postgresRegistryStore(database.pool, project)
  const layouts = await openRowLayouts(
    project,
    world.registry,
    store,
    postgresGuardRecord(database.pool, project),
  )
  const prefix = layouts.keyPrefix(world.view, 0)
  const { slots } = slotsOf(layouts.layout(world.view))
  const redis = new Redis(redisUrl)
  try {
    const found = new Map<number, FeatureValues>()
    for (const id of ids) {
      const row = await redis.getBuffer(prefix + onlineKeySuffix([id]))
      if (row === null) continue
      const isNull = (at: number, mask: number): boolean => ((row[at] ?? 0) & mask) !== 0
      found.set(
        id,
        slots.map((slot) => (isNull(slot.nullByte, slot.nullMask) ? null : Number(readSlot(row, slot)))),
      )
    }
    return { keys: await redis.dbsize(), rows: found }
  } finally {
    redis.disconnect()
  }
}

export async function emptyRedis(redisUrl: string): Promise<void> {
  const redis = new Redis(redisUrl)
  await redis.flushall()
  redis.disconnect()
}
