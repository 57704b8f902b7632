import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { VersionArchive } from '../../src/stores/version-archive.ts'
import type { NewVersion, VersionStore } from '../../src/stores/version-store.ts'

export interface VersionStoreUnderTest {
  /** Of a registry without versions, another one with each call. */
  readonly open: () => Promise<VersionStore & VersionArchive>
  readonly close: () => Promise<void>
}

/** The order of features is part of a definition; so are names that objects have, and every character. */
const content =
  '{"definitions":[{"kind":"entity","b":1,"a":2,"__proto__":{"é\\u0001":"\\ud83d\\ude00"}}],"1":0,"0":1}'

export function newVersion(version: number, more: Partial<NewVersion> = {}): NewVersion {
  return {
    ...{ version, digest: `digest ${version}`, format: 1, content },
    ...{ changedIn: { 'entity customer': version }, changes: [`entity customer: added ${version}`, 'é'] },
    ...{ appliedBy: 'ana', message: null, program: '0.1.0', ...more },
  }
}

/** What every home of the registry's versions promises. */
export function versionStoreContract(name: string, begin: () => Promise<VersionStoreUnderTest>): void {
  describe(`versions of the registry in ${name}`, () => {
    let under: VersionStoreUnderTest
    beforeAll(async () => {
      under = await begin()
    })
    afterAll(() => under?.close())

    it('begin with none', async () => {
      const store = await under.open()
      expect(await store.newest()).toBe(0)
      expect(await store.read(1)).toBeNull()
      expect(await store.list(null, 10)).toEqual([])
    })

    it('are read as they were added, with the moment', async () => {
      const store = await under.open()
      const [first, second] = [newVersion(1), newVersion(2, { message: 'a larger window' })]
      expect([await store.add(first), await store.add(second)]).toEqual([true, true])
      expect(await store.newest()).toBe(2)
      const read = await store.read(2)
      expect(read).toEqual({ ...second, appliedAt: expect.any(Number) })
      expect(Number.isSafeInteger(read?.appliedAt)).toBe(true)
      expect((await store.read(1))?.appliedAt).toBeLessThanOrEqual(read?.appliedAt ?? 0)
      expect(await store.read(3)).toBeNull()
    })

    it('are listed newest first, in pages', async () => {
      const store = await under.open()
      for (const version of [1, 2, 3]) await store.add(newVersion(version))
      const numbers = async (before: number | null, first: number) =>
        (await store.list(before, first)).map(({ version }) => version)
      expect(await numbers(null, 2)).toEqual([3, 2])
      expect(await numbers(2, 2)).toEqual([1])
      expect((await store.list(null, 1))[0]).toMatchObject({
        appliedBy: 'ana',
        changes: newVersion(3).changes,
      })
    })

    it('never change: of two of one number the first stays', async () => {
      const store = await under.open()
      const both = await Promise.all(
        ['ana', 'ben'].map((appliedBy) => store.add(newVersion(1, { appliedBy }))),
      )
      expect(both.filter(Boolean)).toHaveLength(1)
      const first = await store.read(1)
      expect(await store.add(newVersion(1, { appliedBy: 'cleo' }))).toBe(false)
      expect(await store.read(1)).toEqual(first)
    })

    it('are restored as another home has them, all or none', async () => {
      const store = await under.open()
      const versions = [1, 2, 3].map((version) => ({
        ...newVersion(version),
        appliedAt: 1_795_168_800_000_001 + version,
      }))
      expect(await store.restore(versions.slice(0, 2))).toBe(true)
      expect(await store.restore(versions.slice(1).reverse())).toBe(false)
      expect(await store.newest()).toBe(2)
      expect(await store.read(2)).toEqual(versions[1])
    })
  })
}
