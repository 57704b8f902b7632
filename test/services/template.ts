import { fileURLToPath } from 'node:url'
import { migrate } from '../../src/stores/postgres/tables/migrate.ts'
import { testPool } from './test-pool.ts'

export const migrationsFolder = fileURLToPath(new URL('../../migrations', import.meta.url))

/** Fills the template from which every test database is copied, with the migrations: once a run, in the global setup. */
export async function prepareTemplate(url: string): Promise<void> {
  const pool = testPool(url, 1, null)
  try {
    await migrate(pool, migrationsFolder)
  } finally {
    // Postgres copies no template while someone is connected to it.
    await pool.end()
  }
}
