import { execFile } from 'node:child_process'
import { access, chmod, constants, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freePort } from '../../src/embedded/free-port.ts'
import { spawnTied } from '../../src/embedded/pipe-tie.ts'
import { patienceMs } from './wait-until.ts'

const run = promisify(execFile)

/** A PgBouncer of the tests' own; it ends with the process that started it, however that ends. */
export interface PgBouncer {
  /** The same database as the one given, through the pooler. */
  readonly url: string
  readonly stop: () => Promise<void>
}

const install = 'apt-get update && apt-get install -y --no-install-recommends pgbouncer'
const places = ['/usr/sbin/pgbouncer', '/usr/local/bin/pgbouncer', '/opt/homebrew/bin/pgbouncer']

/** The program's path; null where none can be had, with the line to run reported; under CI=true that is an error. */
export async function pgBouncerOrSkip(): Promise<string | null> {
  const present = await findProgram()
  if (present !== null) return present
  let failure = 'installing it by apt-get needs root'
  if (process.getuid?.() === 0) {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    failure = await run('/bin/sh', ['-c', install], { env }).then(
      () => 'apt-get brought none',
      (error: unknown) => String(error),
    )
    const installed = await findProgram()
    if (installed !== null) return installed
  }
  const message = `the tests on PgBouncer need the program; run as root\n  ${install}\n${failure}`
  if (process.env['CI'] === 'true') throw new Error(message)
  console.warn(`skipped: ${message}`)
  return null
}

async function findProgram(): Promise<string | null> {
  for (const path of places) {
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (isThere) return path
  }
  return null
}

/** Starts it on 127.0.0.1 before the Postgres of the URL and waits until it takes connections. Throws with its words. */
export async function startPgBouncer(
  program: string,
  postgresUrl: string,
  { mode, ignored }: { readonly mode: 'transaction' | 'session'; readonly ignored: readonly string[] },
): Promise<PgBouncer> {
  const home = await mkdtemp(join(tmpdir(), 'featuregraph-pgbouncer-'))
  await chmod(home, 0o755)
  const target = new URL(postgresUrl)
  const port = await freePort()
  const settings = [
    '[databases]',
    `* = host=127.0.0.1 port=${target.port} user=${target.username}`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    'unix_socket_dir =',
    'auth_type = any',
    `pool_mode = ${mode}`,
    `ignore_startup_parameters = ${['extra_float_digits', ...ignored].join(',')}`,
  ]
  const file = join(home, 'pgbouncer.ini')
  await writeFile(file, `${settings.join('\n')}\n`)
  const logPath = join(home, 'pgbouncer.log')
  const log = await open(logPath, 'a')
  const account = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : undefined
  const env = { PATH: '/usr/bin:/bin' }
  const bouncer = await spawnTied(program, [file], { cwd: '/', env, account, outputFd: log.fd })
  await log.close()
  let ended = false
  void bouncer.exited.then(() => {
    ended = true
  })
  const stop = async (): Promise<void> => {
    // The tie's SIGINT would wait for the end of transactions.
    if (!ended) process.kill(bouncer.pid, 'SIGTERM')
    bouncer.release()
    await bouncer.exited
    await rm(home, { recursive: true, force: true })
  }
  const until = performance.now() + patienceMs
  while (!(await takesConnections(port))) {
    if (ended || performance.now() > until) {
      const words = await readFile(logPath, 'utf8')
      await stop()
      throw new Error(`${program} did not start:\n${words}`)
    }
    await sleep(20)
  }
  target.port = String(port)
  return { url: target.href, stop }
}

async function takesConnections(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
