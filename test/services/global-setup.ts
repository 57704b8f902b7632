import type { TestProject } from 'vitest/node'
import { buildCommands } from './build-commands.ts'
import { startPostgres } from './postgres.ts'
import { startRedis } from './redis.ts'
import { prepareTemplate } from './template.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** Superuser's URL of the database `postgres`; tests take a database of their own by `createTestDatabase`. */
    readonly postgresUrl: string
    /** Shared by all test files: prefix the keys, never FLUSHALL. */
    readonly redisUrl: string
  }
}

/**
 * One Postgres and one Redis for the whole run, never skipped: the run fails here when one cannot be had. The commands
 * are compiled meanwhile, but not for a run of some files only: most start none, and tsx runs those of the others.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  // The names that `vitest run` was given, which its types leave out.
  const isWholeRun = Reflect.get(project.vitest, 'filenamePattern') === undefined
  const building = isWholeRun ? buildCommands() : Promise.resolve()
  // Thrown below, where the servers can be stopped.
  building.catch(() => {})
  const redis = await startRedis()
  const postgres = await startPostgres().catch(async (error: unknown) => {
    await redis.stop()
    throw error
  })
  const stop = async (): Promise<void> => {
    await Promise.all([redis.stop(), postgres.stop()])
  }
  try {
    await prepareTemplate(await postgres.createDatabase('featuregraph_template'))
    await building
  } catch (error) {
    await stop()
    throw error
  }
  project.provide('postgresUrl', postgres.url)
  project.provide('redisUrl', redis.url)
  return stop
}
