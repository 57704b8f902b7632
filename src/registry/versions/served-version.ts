import type { StoredVersion } from '../../stores/version-store.ts'
import type { Registry } from '../registry.ts'
import { decodeContent, registryOf, type VersionContent } from './version-content.ts'

/** A version of the registry, ready to be served. */
export interface ServedVersion {
  readonly version: number
  readonly digest: string
  readonly registry: Registry
  readonly content: VersionContent
  /** In which version a definition last changed, by its kind and name, as `feature view orders`. */
  readonly changedIn: Readonly<Record<string, number>>
}

/** @throws RegistryUnreadable; InvalidDefinitions where this program refuses its definitions. */
export function servedVersion(stored: StoredVersion): ServedVersion {
  const content = decodeContent(stored.content, stored.format)
  const { version, digest, changedIn } = stored
  return { version, digest, registry: registryOf(content), content, changedIn }
}
