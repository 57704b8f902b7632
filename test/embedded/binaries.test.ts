import { execFile } from 'node:child_process'
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { z } from 'zod'
import { findPostgresBinaries } from '../../src/embedded/binaries.ts'

let folder = ''
let native = ''

// As `npm ci --ignore-scripts` leaves it: without one library link.
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'featuregraph-binaries-'))
  await chmod(folder, 0o755)
  native = join(folder, 'native')
  const { native: installed } = await findPostgresBinaries()
  const listing = z.array(z.object({ target: z.string() }))
  const links = listing.parse(JSON.parse(await readFile(join(installed, 'pg-symlinks.json'), 'utf8')))
  await cp(installed, native, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) => !links.some(({ target }) => path === join(dirname(installed), target)),
  })
})

afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

async function linkAndRun(account: { readonly uid?: number; readonly gid?: number }): Promise<unknown> {
  const script = fileURLToPath(new URL('link-and-run.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', 'tsx', script, native, join(folder, 'links', 'made here')],
    { cwd: fileURLToPath(new URL('../..', import.meta.url)), ...account },
  )
  return JSON.parse(stdout)
}

it('cannot run without the links', async () => {
  await expect(promisify(execFile)(join(native, 'bin', 'postgres'), ['--version'])).rejects.toThrow()
})

it('finds the libraries through links elsewhere when the package is not writable', async () => {
  await mkdir(join(folder, 'links'))
  await chmod(join(folder, 'links'), 0o777)
  await chmod(join(native, 'lib'), 0o555)
  const account = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}
  const variable = process.platform === 'darwin' ? 'DYLD_LIBRARY_PATH' : 'LD_LIBRARY_PATH'
  expect(await linkAndRun(account)).toEqual({ variables: [variable], version: 'postgres (PostgreSQL) 18.4' })
  await chmod(join(native, 'lib'), 0o755)
})

it('makes the missing links in place, twice without harm', async () => {
  for (const _ of [1, 2]) {
    expect(await linkAndRun({})).toEqual({ variables: [], version: 'postgres (PostgreSQL) 18.4' })
  }
  expect(await readdir(join(native, 'lib'))).toContain('libicuuc.so.60')
})
