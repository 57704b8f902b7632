import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RegistryUnreadable, StoreFailed } from '../../../src/errors.ts'
import { openRegistryFile } from '../../../src/stores/sqlite/version-store.ts'
import { newVersion, versionStoreContract } from '../../contract/version-store.ts'

const clock = (): number => Date.now() * 1_000
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'featuregraph-registry-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

versionStoreContract('a SQLite file', async () => {
  const opened: ReturnType<typeof openRegistryFile>[] = []
  return {
    open: async () => {
      const file = openRegistryFile(join(folder, `${opened.length}.db`), 'WRITE', clock)
      opened.push(file)
      return file.versions
    },
    close: async () => {
      for (const { close } of opened) close()
    },
  }
})

describe('a registry file', () => {
  it('is read as it was written, by two at once, and whatever lock a killed process has left', async () => {
    const path = join(folder, 'shared.db')
    const written = openRegistryFile(path, 'WRITE', clock)
    await written.versions.add(newVersion(1))
    written.close()
    await mkdir(`${path}.lock`)
    const [one, other] = [openRegistryFile(path, 'READ', clock), openRegistryFile(path, 'READ', clock)]
    expect([await one.versions.newest(), await other.versions.newest()]).toEqual([1, 1])
    await expect(one.versions.add(newVersion(2))).rejects.toThrow(StoreFailed)
    one.close()
    other.close()
    expect(() => openRegistryFile(path, 'WRITE', clock)).toThrow(`remove ${path}.lock if none does`)
  })

  it('is refused where it is missing, something else, or of a newer program', async () => {
    const open = (name: string) => () => openRegistryFile(join(folder, name), 'READ', clock)
    expect(open('missing.db')).toThrow(StoreFailed)
    await writeFile(join(folder, 'text.db'), 'no database at all '.repeat(100))
    expect(open('text.db')).toThrow(StoreFailed)
    await writeFile(join(folder, 'empty.db'), '')
    expect(open('empty.db')).toThrow(RegistryUnreadable)
    const { Database } = (await import('node-sqlite3-wasm')).default
    const database = new Database(join(folder, 'newer.db'))
    database.exec(
      'create table versions (version integer); pragma application_id = 0x66677267; pragma user_version = 2',
    )
    database.close()
    expect(open('newer.db')).toThrow('was written by a newer program (format 2, this one reads up to 1)')
  })
})
