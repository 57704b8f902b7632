import { ApplyRefused } from '../../errors.ts'
import type { OfflineStore } from '../../stores/offline-store.ts'
import type { VersionStore } from '../../stores/version-store.ts'
import type { Definition } from '../parse-definitions.ts'
import { registryDigest } from '../registry-digest.ts'
import { changedDefinitions, changedInVersion } from './changed-definitions.ts'
import { changesBetween } from './changes.ts'
import { nextContent } from './resolve-identities.ts'
import { type ServedVersion, servedVersion } from './served-version.ts'
import { contentFormat, encodeContent, registryOf } from './version-content.ts'

export interface ApplyTargets {
  readonly versions: VersionStore
  readonly tables: Pick<OfflineStore, 'ensureTables'>
}

export interface ApplyOptions {
  /** Who applies them. */
  readonly by: string
  readonly message: string | null
  /** Version of this program. */
  readonly program: string
}

/** The newest version, ready to be served; null: nothing has been applied. @throws RegistryUnreadable; InvalidDefinitions. */
export async function currentVersion(
  versions: Pick<VersionStore, 'newest' | 'read'>,
): Promise<ServedVersion | null> {
  const number = await versions.newest()
  const stored = number === 0 ? null : await versions.read(number)
  return stored && servedVersion(stored)
}

/**
 * Makes the definitions the registry's newest version, and the tables and columns that they need before that. Definitions
 * that say what the newest version says change nothing; its number is answered then.
 * @throws InvalidDefinitions; TablesDiffer; ApplyRefused when another apply came first.
 */
export async function applyDefinitions(
  { versions, tables }: ApplyTargets,
  definitions: readonly Definition[],
  { by, message, program }: ApplyOptions,
): Promise<ServedVersion> {
  const current = await currentVersion(versions)
  const content = nextContent(current?.content ?? null, definitions)
  const registry = registryOf(content)
  const digest = registryDigest(registry)
  if (current?.digest === digest) return current
  await tables.ensureTables(registry.views, registry.eventSources)
  const changed = changedDefinitions(current?.content.definitions ?? [], content.definitions)
  const changes = changesBetween(current?.content ?? null, content)
  const version = (current?.version ?? 0) + 1
  const next = {
    ...{ version, digest, format: contentFormat, content: encodeContent(content) },
    changedIn: changedInVersion(current?.changedIn ?? {}, content.definitions, changed, version),
    changes: changes.map(({ place, text }) => `${place}: ${text}`),
    ...{ appliedBy: by, message, program },
  }
  if (!(await versions.add(next)))
    throw new ApplyRefused(
      `version ${version} was applied by somebody else meanwhile; look at it with \`featuregraph plan\`, then apply again`,
    )
  return { version, digest, registry, content, changedIn: next.changedIn }
}
