import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { buildCommands } from './build-commands.ts'
import { isLong } from './long-run.ts'
import { pgBouncerOrSkip } from './pgbouncer.ts'
import { makePlainDefinitions } from './plain-definitions.ts'
import { shareInitialisedData, startPostgres } from './postgres.ts'
import { startRedis } from './redis.ts'
import { prepareTemplate } from './template.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** One for each file that runs at once, see `postgresUrl`; tests take a database of their own by `createTestDatabase`. */
    readonly postgresUrls: readonly string[]
    /** Shared by all test files: prefix the keys, never FLUSHALL. */
    readonly redisUrl: string
  }
}

/**
 * One Redis for the whole run, and a Postgres for each file that runs at once, never skipped: the run fails here when one cannot be had. The commands
 * are compiled meanwhile, but not for a run of some files only: most start none, and tsx runs those of the others.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  // The names that `vitest run` was given, which its types leave out.
  const isWholeRun = Reflect.get(project.vitest, 'filenamePattern') === undefined
  const building = isWholeRun || isLong ? buildCommands() : Promise.resolve()
  // Thrown below, where the servers can be stopped.
  building.catch(() => {})
  // What a killed process of the run leaves goes with the folder; other accounts, as of servers, write in it too.
  const folder = await mkdtemp(join(tmpdir(), 'featuregraph-tests-'))
  await chmod(folder, 0o1777)
  process.env['TMPDIR'] = folder
  const servers: { readonly stop: () => Promise<void> }[] = []
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.stop()))
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  }
  try {
    // Installed before the files run side by side: two package managers at once would lock each other out.
    if (isWholeRun) await pgBouncerOrSkip()
    await makePlainDefinitions()
    const redis = await startRedis()
    servers.push(redis)
    servers.push({ stop: await shareInitialisedData() })
    const urls = await Promise.all(
      Array.from({ length: project.vitest.config.maxWorkers }, async () => {
        const postgres = await startPostgres()
        servers.push(postgres)
        await prepareTemplate(await postgres.createDatabase('featuregraph_template'))
        return postgres.url
      }),
    )
    await building
    project.provide('postgresUrls', urls)
    project.provide('redisUrl', redis.url)
  } catch (error) {
    await stop()
    throw error
  }
  return stop
}
