import type { StoredVersion, VersionStore } from './version-store.ts'

/** A home of the registry that takes versions as another one has them, with who applied them when. */
export interface VersionArchive extends Pick<VersionStore, 'newest' | 'read'> {
  /** All or none, in their order. False: one of their numbers is taken; nothing is changed then. */
  readonly restore: (versions: readonly StoredVersion[]) => Promise<boolean>
}
