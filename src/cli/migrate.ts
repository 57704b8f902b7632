import { readConfig, readEnvironment } from '../config.ts'
import { openStores } from '../gateway/open-stores.ts'
import { systemClock } from '../gateway/start-gateway.ts'
import { commandLog } from './command-log.ts'
import { refuseMemory } from './refuse-memory.ts'

/** `featuregraph migrate`: opening the stores applies the migrations; beside a running gateway it joins its server. */
export async function migrateDatabase(): Promise<void> {
  const config = readConfig(readEnvironment())
  refuseMemory(config.onlineUrl)
  const stores = await openStores(config, {
    log: commandLog(config.logLevel),
    clock: systemClock,
    countNonFinite: () => {},
  })
  await stores.close()
  process.stdout.write('the database is up to date\n')
}
