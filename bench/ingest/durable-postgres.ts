import { execFile } from 'node:child_process'
import { chmod, chown, mkdir, mkdtemp, open, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freePort } from '../../src/embedded/free-port.ts'
import { spawnTied } from '../../src/embedded/pipe-tie.ts'
import { readPostmasterPid } from '../../src/embedded/postmaster-pid.ts'

/** A Postgres that loses nothing that it has confirmed; it ends with the process that started it, however that ends. */
export interface DurablePostgres {
  /** Of the database `postgres`, as superuser, without password. */
  readonly url: string
  /** psql and the server's other programs. */
  readonly bin: string
  readonly version: string
  /** Ends the server and removes its data. */
  readonly stop: () => Promise<void>
}

const run = promisify(execFile)
const readyMs = 20_000
const systemFolder = '/usr/lib/postgresql'
const oldest = 14

/** Beyond Postgres' own: memory, and room in the log, so that not every second is a checkpoint's. Durability is as it ships. */
export const postgresSettings = ['shared_buffers=1GB', 'max_wal_size=8GB', 'checkpoint_timeout=15min']

/** Starts it on a new temporary folder, from `PG_BIN`, else the newest of Debian's folders; it needs psql, which the embedded one lacks. */
export async function startDurablePostgres(): Promise<DurablePostgres> {
  const bin = process.env['PG_BIN'] || (await systemBin())
  if (bin === undefined) {
    throw new Error(
      `the bench needs Postgres ${oldest} or later with psql: as root \`apt-get install -y --no-install-recommends postgresql\`, or point PG_BIN at the folder with initdb, postgres and psql`,
    )
  }
  // Postgres refuses to run as root.
  const account = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : undefined
  const environment = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }
  const folder = await mkdtemp(path.join(tmpdir(), 'featuregraph-bench-postgres-'))
  const [data, logPath] = [path.join(folder, 'data'), path.join(folder, 'postgres.log')]
  await chmod(folder, 0o755)
  await mkdir(data, { mode: 0o700 })
  if (account !== undefined) await chown(data, account.uid, account.gid)
  const initdb = ['-D', data, '-A', 'trust', '-U', 'postgres', '-E', 'UTF8', '--no-locale']
  await run(path.join(bin, 'initdb'), initdb, { cwd: '/', env: environment, ...account })

  const port = await freePort()
  const settings = [...postgresSettings, 'unix_socket_directories='].flatMap((one) => ['-c', one])
  const log = await open(logPath, 'a')
  try {
    const server = await spawnTied(
      path.join(bin, 'postgres'),
      ['-D', data, '-p', String(port), '-h', '127.0.0.1', ...settings],
      { cwd: '/', env: environment, account, outputFd: log.fd },
    )
    const stop = async (): Promise<void> => {
      server.release()
      await server.exited
      await rm(folder, { recursive: true, force: true })
    }
    const until = performance.now() + readyMs
    while ((await readPostmasterPid(data))?.ready !== true) {
      if (performance.now() > until) {
        const words = await readFile(logPath, 'utf8')
        await stop()
        throw new Error(`${bin}/postgres did not start:\n${words}`)
      }
      await sleep(20)
    }
    const { stdout } = await run(path.join(bin, 'postgres'), ['--version'])
    const [version = ''] = /\d+\.\d+/.exec(stdout) ?? []
    return { url: `postgres://postgres@127.0.0.1:${port}/postgres`, bin, version, stop }
  } finally {
    await log.close()
  }
}

async function systemBin(): Promise<string | undefined> {
  const versions = (await readdir(systemFolder).catch(() => [])).map(Number)
  for (const version of versions.filter((one) => one >= oldest).sort((a, b) => b - a)) {
    const bin = path.join(systemFolder, String(version), 'bin')
    // The client's package alone makes the folder too.
    if (await stat(path.join(bin, 'initdb')).catch(() => null)) return bin
  }
  return undefined
}
