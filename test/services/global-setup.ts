import type { TestProject } from 'vitest/node'
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

/** One Postgres and one Redis for the whole run, never skipped: the run fails here when one cannot be had. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
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
  } catch (error) {
    await stop()
    throw error
  }
  project.provide('postgresUrl', postgres.url)
  project.provide('redisUrl', redis.url)
  return stop
}
