import { join } from 'node:path'
import { EmbeddedPostgresFailed, messageOf } from '../errors.ts'
import { findPostgresBinaries, linkLibraries } from './binaries.ts'
import { initDatabase, readPassword } from './init-database.ts'
import { keepRunning } from './keep-running.ts'
import { choosePlace } from './place.ts'
import { type EmbeddedLog, startOrJoin } from './start-or-join.ts'

/** A running Postgres with the data of one folder. */
export interface EmbeddedPostgres {
  /** `postgres://postgres:…@127.0.0.1:port/postgres`; holds the password, so never log it. `onMoved` reports a new one. */
  readonly url: string
  /** True when another process's server was joined: `stop` then leaves it running, and it ends with that process. */
  readonly joined: boolean
  /** Ends the server started here, closing its connections, and resolves when it is gone. May be called again. */
  readonly stop: () => Promise<void>
}

export interface EmbeddedPostgresOptions {
  readonly log: EmbeddedLog
  /** Called when the server was started again on another port, because its own was taken. */
  readonly onMoved: (url: string) => void
}

/**
 * Starts the Postgres of `folder` (usually `.featuregraph/`), or joins the one that another process runs on it.
 * The first start makes the data (about 0.6 s), a later one takes about 50 ms. A server that ends unexpectedly is started
 * again, on its port where that can be had, by the process that started it; when that one has ended too, by one that
 * joined. The server ends when `stop` is called or when this process ends, in whatever way; it does not keep the process
 * alive. `log` gets a line for what a person should know: the first start, data in another place, a stale pid file, an
 * unexpected end and the return; Postgres's own log is `postgres.log` beside the data.
 * Throws EmbeddedPostgresFailed, with Postgres's words where it was Postgres that refused.
 */
export async function startEmbeddedPostgres(
  folder: string,
  { log, onMoved }: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  try {
    const binaries = await findPostgresBinaries()
    const place = await choosePlace(folder, binaries, log.info)
    const libraries = await linkLibraries(place.native, join(place.home, 'libraries'))
    // Nothing of our own environment: PG* variables would steer Postgres, and it needs none of our secrets.
    const env = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC', ...libraries }
    await initDatabase(place, env, log.info)
    const password = await readPassword(place.dataFolder)
    const urlOf = (port: number): string => `postgres://postgres:${password}@127.0.0.1:${port}/postgres`

    const first = await startOrJoin(place, env, { log, signal: new AbortController().signal })
    let { port } = first
    const stop = keepRunning(first, {
      dataFolder: place.dataFolder,
      startAgain: (tried, signal) => startOrJoin(place, env, { port: tried, log, signal }),
      onBack: (server) => {
        if (server.port === port) return
        port = server.port
        onMoved(urlOf(port))
      },
      log,
    })
    return {
      get url() {
        return urlOf(port)
      },
      joined: first.kind === 'JOINED',
      stop,
    }
  } catch (error) {
    if (error instanceof EmbeddedPostgresFailed) throw error
    const words = messageOf(error)
    throw new EmbeddedPostgresFailed(`the embedded Postgres of ${folder} could not be started: ${words}`, {
      cause: error,
    })
  }
}
