import { BadUserInput } from '../../errors.ts'
import { type ServedVersion, servedVersion } from '../../registry/versions/served-version.ts'
import type { VersionStore } from '../../stores/version-store.ts'

type Versions = Pick<VersionStore, 'newest' | 'read'>

/** @throws BadUserInput for what is no number, or a version that is not there; `argument` is what it was given as. */
export async function versionNamed(
  versions: Versions,
  text: string,
  argument: string,
): Promise<ServedVersion> {
  const newest = await versions.newest()
  const there = newest === 0 ? 'no version has been applied yet' : `there are versions 1 to ${newest}`
  if (!/^[1-9]\d{0,8}$/.test(text))
    throw new BadUserInput(
      `${argument}: expected the number of a version, ${JSON.stringify(text)} came; ${there}`,
    )
  const stored = await versions.read(Number(text))
  if (stored === null) throw new BadUserInput(`${argument}: there is no version ${text}; ${there}`)
  return servedVersion(stored)
}
