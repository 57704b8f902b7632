import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { chmod, chown, mkdir, mkdtemp, open, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import { findPostgresBinaries, linkLibraries } from '../../src/embedded/binaries.ts'
import { freePort } from '../../src/embedded/free-port.ts'
import { spawnTied, type TiedProcess, type TieOptions } from '../../src/embedded/pipe-tie.ts'
import { choosePlace } from '../../src/embedded/place.ts'
import { readPostmasterPid } from '../../src/embedded/postmaster-pid.ts'
import { patienceMs } from './wait-until.ts'

/** A Postgres of the tests' own; it ends with the process that started it, however that ends. */
export interface PostgresServer {
  /** Of the database `postgres`, as superuser, without password. */
  readonly url: string
  readonly port: number
  /** Of the server that runs now: another after `restart`. */
  readonly pid: number
  /** Creates an empty database, named at random unless it is given a name, and returns its URL. */
  readonly createDatabase: (name?: string) => Promise<string>
  /** Ends the server, closing its connections, and removes its data. */
  readonly stop: () => Promise<void>
  /** SIGKILL; resolves when it is gone. */
  readonly kill: () => Promise<void>
  /** Starts it again on the same port and data, ending it first if it still runs. */
  readonly restart: () => Promise<void>
}

const systemFolder = '/usr/lib/postgresql'
const oldest = 14
/** The environment variable that says where `shareInitialisedData` has put it. */
const initialisedData = 'TEST_POSTGRES_DATA'

/**
 * Starts a Postgres on a new temporary folder: from `PG_BIN`, else the newest of Debian's folders (14 or later), else
 * the embedded one's binaries. Its settings trade safety for speed: for tests, never for measurements. Those given,
 * as `synchronous_commit=on`, come last and win.
 * Throws an Error with initdb's or Postgres's words, or one that says what to install.
 */
export async function startPostgres({
  settings = [],
}: {
  readonly settings?: readonly string[]
} = {}): Promise<PostgresServer> {
  const { bin, home, options } = await prepare()
  const data = join(home, 'data')
  await mkdir(data, { mode: 0o700 })
  if (options.account !== undefined) await chown(data, options.account.uid, options.account.gid)
  const made = process.env[initialisedData]
  if (made === undefined) await initialise(data, { bin, home, options })
  else await promisify(execFile)('cp', ['-a', `${made}/.`, data])

  const port = await freePort()
  const start = async (): Promise<TiedProcess> =>
    await startServer({ bin, home, data, port, options, settings })
  let server = await start()
  const urlOf = (database: string): string => `postgres://postgres@127.0.0.1:${port}/${database}`
  const end = async (): Promise<void> => {
    server.release()
    await server.exited
  }
  return {
    url: urlOf('postgres'),
    port,
    get pid() {
      return server.pid
    },
    createDatabase: async (name = `test_${randomUUID().replaceAll('-', '')}`) => {
      await execute(urlOf('postgres'), `create database ${pg.escapeIdentifier(name)}`)
      return urlOf(name)
    },
    stop: async () => {
      await end()
      await rm(home, { recursive: true, force: true })
    },
    kill: async () => {
      process.kill(server.pid, 'SIGKILL')
      await server.exited
    },
    restart: async () => {
      await end()
      server = await start()
    },
  }
}

/**
 * From here on the servers of this process, and of those that it starts, begin on a copy of what initdb makes here, since
 * that takes a second of CPU. Returns what removes it.
 */
export async function shareInitialisedData(): Promise<() => Promise<void>> {
  const prepared = await prepare()
  const data = join(prepared.home, 'initialised')
  await mkdir(data, { mode: 0o700 })
  const { account } = prepared.options
  if (account !== undefined) await chown(data, account.uid, account.gid)
  await initialise(data, prepared)
  process.env[initialisedData] = data
  return async () => {
    delete process.env[initialisedData]
    await rm(prepared.home, { recursive: true, force: true })
  }
}

async function initialise(data: string, { bin, home, options }: Prepared): Promise<void> {
  const initdb = ['-D', data, '-A', 'trust', '-U', 'postgres', '-E', 'UTF8', '--no-locale', '-N']
  await run(join(bin, 'initdb'), initdb, home, options)
}

/** Runs statements on a connection of its own. */
export async function execute(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}

type RunOptions = Omit<TieOptions, 'outputFd'>

interface Prepared {
  readonly bin: string
  readonly home: string
  readonly options: RunOptions
}

async function prepare(): Promise<Prepared> {
  const folder = await mkdtemp(join(tmpdir(), 'featuregraph-postgres-'))
  await chmod(folder, 0o755)
  const env = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }
  const bin = process.env['PG_BIN'] || (await systemBin())
  if (bin !== undefined) {
    const account = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : undefined
    return { bin, home: folder, options: { cwd: '/', env, account } }
  }
  try {
    const place = await choosePlace(folder, await findPostgresBinaries(), () => {})
    const libraries = await linkLibraries(place.native, join(place.home, 'libraries'))
    const options = { cwd: '/', env: { ...env, ...libraries }, account: place.account }
    return { bin: join(place.native, 'bin'), home: place.home, options }
  } catch (error) {
    throw new Error(
      'the tests need a Postgres. Run `npm ci` (with optional dependencies), or as root ' +
        '`apt-get install -y --no-install-recommends postgresql`, or point PG_BIN at the folder with initdb and postgres',
      { cause: error },
    )
  }
}

async function systemBin(): Promise<string | undefined> {
  const versions = (await readdir(systemFolder).catch(() => []))
    .map(Number)
    .filter((version) => version >= oldest)
    .sort((a, b) => b - a)
  for (const version of versions) {
    const bin = join(systemFolder, String(version), 'bin')
    // The client's package alone makes the folder too.
    if (await stat(join(bin, 'initdb')).catch(() => undefined)) return bin
  }
  return undefined
}

async function run(
  program: string,
  args: readonly string[],
  home: string,
  options: RunOptions,
): Promise<void> {
  const logPath = join(home, 'initdb.log')
  const log = await open(logPath, 'w')
  try {
    const code = await (await spawnTied(program, args, { ...options, outputFd: log.fd })).exited
    if (code !== 0) throw new Error(`${program} ended with code ${code}:\n${await readFile(logPath, 'utf8')}`)
  } finally {
    await log.close()
  }
}

async function startServer(
  place: Prepared & {
    readonly data: string
    readonly port: number
    readonly settings: readonly string[]
  },
): Promise<TiedProcess> {
  const { bin, home, data, port, options } = place
  const fast = ['synchronous_commit=off', 'full_page_writes=off', 'jit=off', 'unix_socket_directories=']
  const args = [
    '-D',
    data,
    '-p',
    String(port),
    '-h',
    '127.0.0.1',
    '-F',
    ...[...fast, ...place.settings].flatMap((one) => ['-c', one]),
  ]
  const logPath = join(home, 'postgres.log')
  const log = await open(logPath, 'a')
  try {
    const until = performance.now() + patienceMs
    // More than one try: after a SIGKILL the children of the old server hold its memory for another moment.
    do {
      const server = await spawnTied(join(bin, 'postgres'), args, { ...options, outputFd: log.fd })
      let ended = false
      void server.exited.then(() => {
        ended = true
      })
      while (!ended && performance.now() < until) {
        const postmaster = await readPostmasterPid(data)
        if (postmaster?.pid === server.pid && postmaster.ready) return server
        await sleep(5)
      }
      server.release()
      await server.exited
      await sleep(50)
    } while (performance.now() < until && /pre-existing shared memory/.test(await readFile(logPath, 'utf8')))
    throw new Error(`${bin}/postgres did not start:\n${await readFile(logPath, 'utf8')}`)
  } finally {
    await log.close()
  }
}
