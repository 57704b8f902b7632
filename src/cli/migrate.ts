import { readConfig, readEnvironment } from '../config/read-config.ts'
import { openPostgres } from '../gateway/open-postgres.ts'
import { commandLog } from './command-log.ts'
import { refuseMemory } from './refuse-memory.ts'

/** `featuregraph migrate`: opening Postgres applies the migrations; beside a running gateway it joins its server. */
export async function migrateDatabase(): Promise<void> {
  const config = readConfig(readEnvironment())
  refuseMemory(config.onlineUrl)
  const { close } = await openPostgres(config, commandLog(config.logLevel))
  await close()
  process.stdout.write('the database is up to date\n')
}
