import { createHash, randomUUID } from 'node:crypto'
import { chmod, cp, lstat, mkdir, readdir, realpath, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { EmbeddedPostgresFailed, errorCode, ifMissing } from '../errors.ts'
import type { PostgresBinaries } from './binaries.ts'
import { makeWritable } from './writable-folder.ts'

/** The account under which Postgres runs when the gateway is root, which Postgres itself refuses to be. */
export interface Account {
  readonly uid: number
  readonly gid: number
}

/** Where the embedded Postgres lives. All paths absolute, without symbolic links. */
export interface Place {
  /** Holds the data folder, the log, and the binaries or links where these had to be made. */
  readonly home: string
  readonly dataFolder: string
  /** Folder with `bin`, `lib` and `share`. */
  readonly native: string
  /** Undefined: as the user that runs the gateway. */
  readonly account: Account | undefined
}

const nobody: Account = { uid: 65534, gid: 65534 }

/**
 * Decides where the data is and which binaries run, and makes the folder.
 *
 * Not root: everything in place. Root: Postgres runs as the account that owns the data, 65534 for new data. When that
 * account may not enter a folder above the data or the binaries (`/root` is 0700), both go under
 * `/var/tmp/featuregraph-<digest of the folder's path>`, and `log` gets a line. That folder must be root's own and writable
 * by no one else: in `/var/tmp` anybody may have made it first. Throws EmbeddedPostgresFailed when it is not.
 */
export async function choosePlace(
  folder: string,
  binaries: PostgresBinaries,
  log: (line: string) => void,
): Promise<Place> {
  const made = await makeWritable(folder)
  const home = await realpath(folder)
  const native = await realpath(binaries.native)
  const inPlace = { home, dataFolder: join(home, 'postgres'), native }
  if (process.getuid?.() !== 0) return { ...inPlace, account: undefined }

  // A strict umask closes new folders to the account that has to enter this one.
  if (made !== undefined) await chmod(home, 0o755)
  const account = (await ownerOf(inPlace.dataFolder)) ?? nobody
  const closed =
    (await closedFolder(home, account)) ??
    (await closedFolder(join(native, 'bin', 'postgres'), account)) ??
    (await closedFolder(join(native, 'lib'), account)) ??
    (await closedFolder(join(native, 'share'), account))
  if (closed === undefined) return { ...inPlace, account }

  const digest = createHash('sha256').update(home).digest('hex').slice(0, 16)
  const moved = `/var/tmp/featuregraph-${digest}`
  await makeRootsOwnFolder(moved)
  log(`embedded Postgres: runs as uid ${nobody.uid}, which may not enter ${closed}; its data is in ${moved}`)
  return {
    home: moved,
    dataFolder: join(moved, 'postgres'),
    native: await copyBinaries(native, join(moved, `binaries-${binaries.version}`)),
    account: nobody,
  }
}

/** The first path from the root down to `path` that the account may not enter, by the mode bits alone. */
async function closedFolder(path: string, account: Account): Promise<string | undefined> {
  const above = dirname(path)
  const closed = above === path ? undefined : await closedFolder(above, account)
  if (closed !== undefined) return closed
  const { mode, uid, gid } = await stat(path)
  const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001
  return (mode & bit) === 0 ? path : undefined
}

async function ownerOf(dataFolder: string): Promise<Account | undefined> {
  const { uid, gid } = await stat(dataFolder).catch(ifMissing({ uid: 0, gid: 0 }))
  return uid === 0 ? undefined : { uid, gid }
}

async function makeRootsOwnFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o755 })
    await chmod(path, 0o755)
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
  }
  const { mode, uid, ...found } = await lstat(path)
  const directory = (mode & 0o170000) === 0o040000
  if (directory && uid === 0 && (mode & 0o022) === 0) return
  throw new EmbeddedPostgresFailed(
    `${path} must be a folder that belongs to root and that no one else may write to; ` +
      `it is ${directory ? 'a folder' : 'no folder'} of uid ${uid}, gid ${found.gid}, mode ${(mode & 0o7777).toString(8)}. ` +
      'Somebody else made it: look at it and remove it',
  )
}

/** Copies to a sibling and renames, so that a copy is whole or absent. Modes are opened, as a umask may have closed them. */
async function copyBinaries(native: string, target: string): Promise<string> {
  if ((await stat(target).catch(ifMissing(null))) !== null) return target
  const partial = `${target}.new-${randomUUID()}`
  await cp(native, partial, { recursive: true, verbatimSymlinks: true })
  await chmod(partial, 0o755)
  for (const entry of await readdir(partial, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isDirectory()) await chmod(path, 0o755)
    else if (entry.isFile()) await chmod(path, ((await stat(path)).mode & 0o100) === 0 ? 0o644 : 0o755)
  }
  try {
    await rename(partial, target)
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST'].includes(errorCode(error))) throw error
    await rm(partial, { recursive: true, force: true })
  }
  return target
}
