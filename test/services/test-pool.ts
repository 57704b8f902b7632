import type pg from 'pg'
import type { OfflineStore } from '../../src/stores/offline-store.ts'
import {
  type PostgresOfflineStoreOptions,
  postgresOfflineStore,
} from '../../src/stores/postgres/features/offline-store.ts'
import { createPool } from '../../src/stores/postgres/sql/pool.ts'

/** A pool as the gateway makes it; null: no statement timeout, as for migrations and making tables. */
export function testPool(
  url: string,
  maxConnections = 4,
  statementTimeoutMs: number | null = 20_000,
): pg.Pool {
  return createPool({
    url,
    applicationName: 'featuregraph-test',
    statementTimeoutMs,
    maxConnections,
    onConnectionError: () => {},
  })
}

/** An offline store with both of its pools; `close` ends both. */
export function testOfflineStore(
  url: string,
  options: Partial<PostgresOfflineStoreOptions> = {},
  pool: pg.Pool = testPool(url),
): OfflineStore {
  const unboundedPool = testPool(url, 2, null)
  const store = postgresOfflineStore(pool, {
    project: 'default',
    unboundedPool,
    countNonFinite: () => {},
    ...options,
  })
  return {
    ...store,
    close: async () => {
      await Promise.all([store.close(), unboundedPool.end()])
    },
  }
}
