import type { VersionStore } from '../../stores/version-store.ts'
import { type ServedVersion, servedVersion } from './served-version.ts'

/** The newest version, ready to be served; null: nothing has been applied. @throws RegistryUnreadable; InvalidDefinitions. */
export async function currentVersion(
  versions: Pick<VersionStore, 'newest' | 'read'>,
): Promise<ServedVersion | null> {
  const number = await versions.newest()
  const stored = number === 0 ? null : await versions.read(number)
  return stored && servedVersion(stored)
}
