import { readConfig, readEnvironment } from '../config/read-config.ts'
import { buildSchema, printSdl } from '../graph/build-schema.ts'
import { loadRegistry } from '../registry/load.ts'

/** `featuregraph sdl`: the schema on standard output; needs no store. */
export async function sdl(): Promise<void> {
  const registry = await loadRegistry(readConfig(readEnvironment()).schemaFolder)
  process.stdout.write(printSdl(buildSchema(registry)))
}
