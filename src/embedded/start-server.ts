import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './free-port.ts'
import { spawnTied, type TiedProcess } from './pipe-tie.ts'
import type { Place } from './place.ts'
import { ownerSetting, readPostmasterPid } from './postmaster-pid.ts'
import { stopServer } from './stop-server.ts'

/** A failure to start; BUSY passes: a server that is just going or coming. */
type FailedStart = 'PORT_TAKEN' | 'BUSY' | 'REFUSED'

export type ServerStart =
  | { readonly status: 'READY'; readonly port: number; readonly server: TiedProcess }
  | { readonly status: 'FAILED'; readonly reason: FailedStart; readonly output: string }

export interface StartServerOptions {
  /** Undefined: any that is free. */
  readonly port: number | undefined
  /** A server that is not ready when it aborts is ended. */
  readonly signal: AbortSignal
}

/** Long enough for a recovery after a crash, which the gateway's small write-ahead log keeps to seconds. */
const readyMs = 120_000

const reasons: readonly (readonly [RegExp, FailedStart])[] = [
  [/could not create any TCP\/IP sockets/, 'PORT_TAKEN'],
  [/lock file ".*" already exists/, 'BUSY'],
  [/pre-existing shared memory block/, 'BUSY'],
]

/**
 * Starts Postgres on the place's data folder and waits until `postmaster.pid` says `ready` with the pid of this very
 * server (25 to 40 ms after a clean stop). It listens on 127.0.0.1 only, without Unix sockets, whose paths may be too
 * long. `-F` and `synchronous_commit=off` are left out with intent: what was acknowledged must survive a crash of
 * Postgres and of the machine.
 */
export async function startServer(
  place: Place,
  env: Readonly<Record<string, string>>,
  options: StartServerOptions,
): Promise<ServerStart> {
  const port = options.port ?? (await freePort())
  const logPath = join(place.home, 'postgres.log')
  const log = await open(logPath, 'a', 0o600)
  try {
    const written = (await log.stat()).size
    const logStart = written > 1_000_000 ? 0 : written
    if (logStart === 0) await log.truncate()
    const server = await spawnTied(
      join(place.native, 'bin', 'postgres'),
      ['-D', place.dataFolder, '-p', String(port), '-h', '127.0.0.1', ...settings],
      { cwd: place.dataFolder, env, account: place.account, outputFd: log.fd },
    )
    if (await becomesReady(server, place.dataFolder, options.signal)) {
      server.unref()
      return { status: 'READY', port, server }
    }
    const output = (await readFile(logPath)).subarray(logStart).toString().trim()
    const reason = reasons.find(([words]) => words.test(output))?.[1] ?? 'REFUSED'
    return { status: 'FAILED', reason, output }
  } finally {
    await log.close()
  }
}

const settings = [
  'unix_socket_directories=',
  'shared_buffers=64MB',
  'jit=off',
  'timezone=UTC',
  'max_connections=40',
  `${ownerSetting}=${process.pid}`,
].flatMap((setting) => ['-c', setting])

/** False when the server has ended first, or has been ended: for taking too long, or by the signal. */
async function becomesReady(server: TiedProcess, dataFolder: string, signal: AbortSignal): Promise<boolean> {
  let ended = false
  void server.exited.then(() => {
    ended = true
  })
  const until = performance.now() + readyMs
  while (!ended && !signal.aborted && performance.now() < until) {
    const postmaster = await readPostmasterPid(dataFolder)
    if (postmaster?.pid === server.pid && postmaster.ready) return true
    await sleep(5)
  }
  await stopServer(server)
  return false
}
