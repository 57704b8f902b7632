import { BadUserInput } from '../../errors.ts'
import type { VersionArchive } from '../../stores/version-archive.ts'
import type { StoredVersion, VersionStore } from '../../stores/version-store.ts'

export interface CopiedVersions {
  /** How many were copied. */
  readonly copied: number
  /** The number of the newest one that both have now. */
  readonly newest: number
}

/**
 * Copies the versions that `to` lacks, where the others are the same in both; `called` says what each is called in messages.
 * @throws BadUserInput where they are not, or `to` is ahead; nothing is changed then.
 */
export async function copyVersions(
  from: Pick<VersionStore, 'newest' | 'read'>,
  to: VersionArchive,
  called: { readonly from: string; readonly to: string },
): Promise<CopiedVersions> {
  const [newest, there] = [await from.newest(), await to.newest()]
  if (newest === 0) throw new BadUserInput(`${called.from} has no version of the registry; nothing to copy`)
  if (there > newest)
    throw new BadUserInput(
      `${called.to} has version ${there}, ${called.from} ends at version ${newest}; expected all versions of the one in the other`,
    )
  const missing: StoredVersion[] = []
  for (let version = 1; version <= newest; version += 1) {
    const one = await from.read(version)
    if (one === null) throw new BadUserInput(`${called.from} lacks version ${version} of ${newest}`)
    if (version > there) missing.push(one)
    else if (!isSame(one, await to.read(version)))
      throw new BadUserInput(
        `version ${version} of ${called.to} is not that of ${called.from}: these are registries of different projects; copy into one without versions`,
      )
  }
  if (missing.length > 0 && !(await to.restore(missing)))
    throw new BadUserInput(`another version was applied to ${called.to} meanwhile; try again`)
  return { copied: missing.length, newest }
}

function isSame(one: StoredVersion, other: StoredVersion | null): boolean {
  return other !== null && one.digest === other.digest && one.content === other.content
}
