import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './free-port.ts'
import { spawnTied, type TiedProcess } from './pipe-tie.ts'
import type { Place } from './place.ts'
import { readPostmasterPid } from './postmaster-pid.ts'

/** `again`: the refusal is one that passes, a server that is just going or coming or a port taken meanwhile. */
export type ServerStart =
  | { readonly status: 'READY'; readonly port: number; readonly server: TiedProcess }
  | { readonly status: 'FAILED'; readonly output: string; readonly again: boolean }

/** Long enough for a recovery after a crash, which the gateway's small write-ahead log keeps to seconds. */
const readyMs = 120_000

const passing = [
  /lock file ".*" already exists/,
  /pre-existing shared memory block/,
  /could not create any TCP\/IP sockets/,
]

/**
 * Starts Postgres on the place's data folder and waits until `postmaster.pid` says `ready` with the pid of this very
 * server (25 to 40 ms after a clean stop). It listens on a free port of 127.0.0.1 only, without Unix sockets, whose paths
 * may be too long. `-F` is left out with intent: the data must survive a crash of the machine.
 */
export async function startServer(place: Place, env: Readonly<Record<string, string>>): Promise<ServerStart> {
  const port = await freePort()
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
    if (await becomesReady(server, place.dataFolder)) {
      server.unref()
      return { status: 'READY', port, server }
    }
    const output = (await readFile(logPath)).subarray(logStart).toString().trim()
    return { status: 'FAILED', output, again: passing.some((refusal) => refusal.test(output)) }
  } finally {
    await log.close()
  }
}

const settings = [
  'unix_socket_directories=',
  'shared_buffers=64MB',
  'jit=off',
  'synchronous_commit=off',
  'timezone=UTC',
  'max_connections=40',
].flatMap((setting) => ['-c', setting])

/** False when the server has ended first, or has been ended for taking too long. */
async function becomesReady(server: TiedProcess, dataFolder: string): Promise<boolean> {
  let ended = false
  const exited = server.exited.then(() => {
    ended = true
  })
  const until = performance.now() + readyMs
  while (!ended && performance.now() < until) {
    const postmaster = await readPostmasterPid(dataFolder)
    if (postmaster?.pid === server.pid && postmaster.ready) return true
    await sleep(5)
  }
  server.release()
  await exited
  return false
}
