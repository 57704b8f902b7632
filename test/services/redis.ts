import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../src/embedded/free-port.ts'
import { spawnTied, type TiedProcess } from '../../src/embedded/pipe-tie.ts'
import { redisBinary } from './redis-binary.ts'
import { patienceMs } from './wait-until.ts'

/** A Redis of the tests' own; it ends with the process that started it, however that ends. */
export interface RedisServer {
  readonly url: string
  readonly port: number
  /** Of the server that runs now: another after `restart`. */
  readonly pid: number
  /** Ends the server and removes its folder, unless the folder was given. */
  readonly stop: () => Promise<void>
  /** SIGKILL; resolves when it is gone. */
  readonly kill: () => Promise<void>
  /** Starts it again on the same port and folder, ending it first if it still runs. */
  readonly restart: () => Promise<void>
}

/**
 * Starts a Redis on 127.0.0.1 that keeps nothing on disk, and waits until it answers a PING. `args` come last and win:
 * `['--appendonly', 'yes']`, `['--cluster-enabled', 'yes']`. Throws with the server's words when it does not start.
 */
export async function startRedis(
  options: { readonly port?: number; readonly dir?: string; readonly args?: readonly string[] } = {},
): Promise<RedisServer> {
  const binary = await redisBinary()
  const port = options.port ?? (await freePort())
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'featuregraph-redis-')))
  const args = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--dir',
    dir,
    '--save',
    '',
    '--appendonly',
    'no',
  ]
  const start = async (): Promise<TiedProcess> =>
    await startOnce(binary, [...args, ...(options.args ?? [])], port, dir)
  const removeDir = async (): Promise<void> => {
    if (options.dir === undefined) await rm(dir, { recursive: true, force: true })
  }
  let server = await start().catch(async (error: unknown) => {
    await removeDir()
    throw error
  })
  const end = async (): Promise<void> => {
    server.release()
    await server.exited
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return server.pid
    },
    stop: async () => {
      await end()
      await removeDir()
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

async function startOnce(
  binary: string,
  args: readonly string[],
  port: number,
  dir: string,
): Promise<TiedProcess> {
  const logPath = join(dir, 'redis.log')
  const log = await open(logPath, 'a')
  try {
    const env = { PATH: process.env['PATH'] ?? '/usr/bin:/bin' }
    const server = await spawnTied(binary, args, { cwd: dir, env, account: undefined, outputFd: log.fd })
    let ended = false
    void server.exited.then(() => {
      ended = true
    })
    const until = performance.now() + patienceMs
    while (!ended && performance.now() < until) {
      if (await pongs(port)) return server
      await sleep(10)
    }
    server.release()
    await server.exited
    throw new Error(`${binary} ${args.join(' ')} did not start:\n${await readFile(logPath, 'utf8')}`)
  } finally {
    await log.close()
  }
}

async function pongs(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'))
    const answer = (pong: boolean) => (): void => {
      socket.destroy()
      resolve(pong)
    }
    socket.setTimeout(1000, answer(false))
    socket.once('error', answer(false))
    socket.once('close', answer(false))
    socket.once('data', (data) => answer(data.toString().startsWith('+PONG'))())
  })
}
