import { randomBytes } from 'node:crypto'
import { chown, mkdir, mkdtemp, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EmbeddedPostgresFailed, errorCode, ifMissing } from '../errors.ts'
import { spawnTied } from './pipe-tie.ts'
import type { Place } from './place.ts'
import { isAlive } from './postmaster-pid.ts'

/** The superuser's password, 0600 inside the data folder, which is 0700: it comes and goes with the data. */
const passwordFile = 'featuregraph.password'

/** Longer than initdb ever takes: what is older is left over, even if its pid lives again. */
const initdbMs = 10 * 60_000

/**
 * Makes the data folder if it is not there, with a random password, in about half a second.
 * initdb works in a sibling that is renamed at the end, so the folder is whole or absent, however the process ends;
 * of two processes that do so at once, the second drops its own. Throws EmbeddedPostgresFailed with initdb's words.
 */
export async function initDatabase(
  place: Place,
  env: Readonly<Record<string, string>>,
  log: (line: string) => void,
): Promise<void> {
  await removeLeftovers(place.home)
  if (await isDatabase(place.dataFolder)) return
  log(`embedded Postgres: first start, making ${place.dataFolder}`)
  const partial = await mkdtemp(join(place.home, `postgres.new-${process.pid}-`))
  const data = join(partial, 'data')
  const password = join(partial, 'password')
  try {
    await mkdir(data, { mode: 0o700 })
    await writeFile(password, randomBytes(24).toString('base64url'), { mode: 0o600 })
    if (place.account !== undefined) {
      for (const path of [partial, data, password]) await chown(path, place.account.uid, place.account.gid)
    }
    await runInitdb(place, env, { partial, data, password })
    await rename(password, join(data, passwordFile))
    await rename(data, place.dataFolder)
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST'].includes(errorCode(error)) || !(await isDatabase(place.dataFolder)))
      throw error
  } finally {
    await rm(partial, { recursive: true, force: true })
  }
}

/** The password made by `initDatabase`, now or in an earlier run. Throws EmbeddedPostgresFailed when it cannot be read. */
export async function readPassword(dataFolder: string): Promise<string> {
  const path = join(dataFolder, passwordFile)
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (error) {
    const { uid } = await stat(dataFolder)
    throw new EmbeddedPostgresFailed(
      `the password in ${path} cannot be read; the folder belongs to uid ${uid}, this process is uid ${process.getuid?.()}`,
      { cause: error },
    )
  }
}

async function runInitdb(
  place: Place,
  env: Readonly<Record<string, string>>,
  paths: { readonly partial: string; readonly data: string; readonly password: string },
): Promise<void> {
  const outputPath = join(paths.partial, 'output')
  const output = await open(outputPath, 'w', 0o600)
  try {
    const initdb = await spawnTied(
      join(place.native, 'bin', 'initdb'),
      [
        ...['-D', paths.data, '-A', 'scram-sha-256', `--pwfile=${paths.password}`, '-U', 'postgres'],
        ...['-E', 'UTF8', '--no-locale', '-N'],
      ],
      { cwd: '/', env, account: place.account, outputFd: output.fd },
    )
    const code = await initdb.exited
    if (code === 0) return
    throw new EmbeddedPostgresFailed(
      `initdb for ${place.dataFolder} ended with code ${code}:\n${(await readFile(outputPath, 'utf8')).trim()}` +
        (code === 127 ? '\n(the binaries need glibc 2.27 or later, which Alpine has not)' : ''),
    )
  } finally {
    await output.close()
  }
}

async function isDatabase(dataFolder: string): Promise<boolean> {
  if ((await stat(join(dataFolder, 'PG_VERSION')).catch(ifMissing(null))) !== null) return true
  if ((await readdir(dataFolder).catch(ifMissing([]))).length === 0) return false
  throw new EmbeddedPostgresFailed(
    `${dataFolder} holds something other than a Postgres data folder (no PG_VERSION)`,
  )
}

/** What an initdb left whose process was killed. Never fails: a leftover costs only space. */
async function removeLeftovers(home: string): Promise<void> {
  for (const name of await readdir(home)) {
    const pid = /^postgres\.new-(\d+)-/.exec(name)?.[1]
    if (pid === undefined) continue
    const path = join(home, name)
    try {
      const old = Date.now() - (await stat(path)).mtimeMs > initdbMs
      if (old || !isAlive(Number(pid))) await rm(path, { recursive: true, force: true, maxRetries: 3 })
    } catch (error) {
      if (!['ENOENT', 'ENOTEMPTY', 'EACCES', 'EPERM'].includes(errorCode(error))) throw error
    }
  }
}
