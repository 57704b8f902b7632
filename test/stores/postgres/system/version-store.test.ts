import { randomUUID } from 'node:crypto'
import { postgresVersionArchive } from '../../../../src/stores/postgres/system/version-archive.ts'
import { postgresVersionStore } from '../../../../src/stores/postgres/system/version-store.ts'
import { versionStoreContract } from '../../../contract/version-store.ts'
import { createTestDatabase } from '../../../services/test-database.ts'
import { testPool } from '../../../services/test-pool.ts'

versionStoreContract('Postgres', async () => {
  const database = await createTestDatabase()
  const pool = testPool(database.url)
  return {
    // A registry is one project's.
    open: async () => {
      const project = `p_${randomUUID().slice(0, 8)}`
      return { ...postgresVersionStore(pool, project), ...postgresVersionArchive(pool, project) }
    },
    close: async () => {
      await pool.end()
      await database.drop()
    },
  }
})
