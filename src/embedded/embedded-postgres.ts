import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { EmbeddedPostgresFailed, messageOf } from '../errors.ts'
import { findPostgresBinaries, linkLibraries } from './binaries.ts'
import { initDatabase, readPassword } from './init-database.ts'
import type { TiedProcess } from './pipe-tie.ts'
import { choosePlace, type Place } from './place.ts'
import { judgePostmasterPid, removeStalePidFile } from './postmaster-pid.ts'
import { startServer } from './start-server.ts'

/** A running Postgres with the data of one folder. */
export interface EmbeddedPostgres {
  /** `postgres://postgres:…@127.0.0.1:port/postgres`; holds the password, so never log it. */
  readonly url: string
  /** True when another process's server was joined: `stop` then leaves it running, and it ends with that process. */
  readonly joined: boolean
  /** Ends the server started here, closing its connections, and resolves when it is gone. May be called again. */
  readonly stop: () => Promise<void>
}

/** How long a refusal that passes is met with another try. */
const refusedMs = 5000

/** How long a live server that is starting, recovering or stopping is waited for. */
const otherServerMs = 120_000

/** Fast shutdown writes a checkpoint; after this long it is cut short, and the next start recovers from the log. */
const stopMs = 20_000

/**
 * Starts the Postgres of `folder` (usually `.featuregraph/`), or joins the one that another process runs on it.
 * The first start makes the data (about 0.6 s), a later one takes about 50 ms. The server ends when `stop` is called or
 * when this process ends, in whatever way; it does not keep the process alive. `log` gets a line for what a person should
 * know: the first start, data in another place, a stale pid file, an unexpected end; Postgres's own log is
 * `postgres.log` beside the data. Throws EmbeddedPostgresFailed, with Postgres's words where it was Postgres that refused.
 */
export async function startEmbeddedPostgres(
  folder: string,
  options: { readonly log: (line: string) => void },
): Promise<EmbeddedPostgres> {
  try {
    const binaries = await findPostgresBinaries()
    const place = await choosePlace(folder, binaries, options.log)
    const libraries = await linkLibraries(place.native, join(place.home, 'libraries'))
    // Nothing of our own environment: PG* variables would steer Postgres, and it needs none of our secrets.
    const env = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC', ...libraries }
    await initDatabase(place, env, options.log)
    const password = await readPassword(place.dataFolder)
    return await startOrJoin(place, env, { password, log: options.log })
  } catch (error) {
    if (error instanceof EmbeddedPostgresFailed) throw error
    const words = messageOf(error)
    throw new EmbeddedPostgresFailed(`the embedded Postgres of ${folder} could not be started: ${words}`, {
      cause: error,
    })
  }
}

async function startOrJoin(
  place: Place,
  env: Readonly<Record<string, string>>,
  { password, log }: { readonly password: string; readonly log: (line: string) => void },
): Promise<EmbeddedPostgres> {
  const url = (port: number): string => `postgres://postgres:${password}@127.0.0.1:${port}/postgres`
  const begun = performance.now()
  for (;;) {
    const verdict = await judgePostmasterPid(place.dataFolder)
    if (verdict.kind === 'READY') return { url: url(verdict.port), joined: true, stop: async () => {} }
    if (verdict.kind === 'NOT_READY') {
      if (performance.now() - begun > otherServerMs) {
        throw new EmbeddedPostgresFailed(
          `another process's Postgres on ${place.dataFolder} is neither ready nor gone after ${otherServerMs / 1000} s`,
        )
      }
      await sleep(20)
      continue
    }
    // Over a process that is gone Postgres starts by itself, and its own check is the better one.
    if (verdict.kind === 'STALE' && verdict.reason !== 'GONE') {
      log(`embedded Postgres: removing a stale postmaster.pid (${verdict.reason.toLowerCase()})`)
      await removeStalePidFile(place.dataFolder, verdict.text)
    }
    const start = await startServer(place, env)
    if (start.status === 'READY') return ownServer(start.server, url(start.port), log)
    if (!start.again || performance.now() - begun > refusedMs) {
      throw new EmbeddedPostgresFailed(`Postgres on ${place.dataFolder} did not start:\n${start.output}`)
    }
    await sleep(50)
  }
}

function ownServer(server: TiedProcess, url: string, log: (line: string) => void): EmbeddedPostgres {
  let stopping: Promise<void> | undefined
  void server.exited.then((code) => {
    if (stopping === undefined)
      log(`embedded Postgres: ended unexpectedly with code ${code}; see postgres.log`)
  })
  return {
    url,
    joined: false,
    stop: () => {
      stopping ??= stopServer(server)
      return stopping
    },
  }
}

async function stopServer(server: TiedProcess): Promise<void> {
  server.release()
  const late = setTimeout(() => {
    try {
      process.kill(server.pid, 'SIGQUIT')
    } catch {
      // It ended in this very moment.
    }
  }, stopMs)
  await server.exited
  clearTimeout(late)
}
