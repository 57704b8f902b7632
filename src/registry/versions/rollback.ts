import { isDeepStrictEqual } from 'node:util'
import { BadUserInput } from '../../errors.ts'
import type { StoredVersion, VersionStore } from '../../stores/version-store.ts'
import { type FeatureColumn, type FeatureIdentity, ownOf, type ViewIdentity } from '../identities.ts'
import type { FeatureView, Registry } from '../registry.ts'
import { planVersion } from './apply.ts'
import { changesBetween } from './changes.ts'
import { type ApplyOptions, type ApplyTargets, makeCurrent } from './make-current.ts'
import { freeName } from './resolve-identities.ts'
import { retiredBy } from './retired.ts'
import type { ServedVersion } from './served-version.ts'
import { decodeContent, registryOf, type VersionContent } from './version-content.ts'

/**
 * Makes a new version with the definitions of an earlier one. What was stored since is kept: of features that were widened
 * the wide column, of what the earlier version does not have everything, until it is pruned.
 * @throws BadUserInput when there is no such version; RegistryUnreadable, InvalidDefinitions when this program cannot read
 * it; ApplyRefused; TablesDiffer.
 */
export async function rollBack(
  targets: ApplyTargets,
  version: number,
  options: ApplyOptions,
): Promise<ServedVersion> {
  const { versions, tables } = targets
  return await makeCurrent(
    targets,
    {
      kind: 'ROLLBACK',
      async plan(current) {
        const { content: text, format } = await existingVersion(versions, version)
        const target = decodeContent(text, format)
        if (current === null || current.version === version)
          return await planVersion(tables, current, target, [])
        const content = rolledBack(target, await contentsBack(versions, current, version))
        return await planVersion(tables, current, content, changesBetween(current.content, content))
      },
    },
    { ...options, message: options.message ?? `rollback to version ${version}` },
  )
}

/** @throws BadUserInput naming those that there are. */
export async function existingVersion(
  versions: Pick<VersionStore, 'newest' | 'read'>,
  version: number,
): Promise<StoredVersion> {
  const stored = await versions.read(version)
  if (stored !== null) return stored
  const newest = await versions.newest()
  const there =
    newest === 0
      ? 'nothing has been applied yet'
      : `there ${newest === 1 ? 'is version 1' : `are versions 1 to ${newest}`}`
  throw new BadUserInput(`there is no version ${version}; ${there}`)
}

/** Newest first, down to the one after `version`. Those that this program cannot read are passed over. */
async function contentsBack(
  versions: Pick<VersionStore, 'read'>,
  current: ServedVersion,
  version: number,
): Promise<readonly [VersionContent, ...VersionContent[]]> {
  const contents: VersionContent[] = []
  for (let number = current.version - 1; number > version; number -= 1) {
    const stored = await versions.read(number)
    if (stored === null) continue
    contents.push(decodeContent(stored.content, stored.format))
  }
  return [current.content, ...contents]
}

/**
 * The definitions of a version, with what the later ones (newest first) have stored of the same features. A table or column
 * that has been pruned and then taken by something else is left to it.
 */
export function rolledBack(
  target: VersionContent,
  [current, ...between]: readonly [VersionContent, ...VersionContent[]],
): VersionContent {
  const contents = [current, ...between] as const
  const registry = registryOf(target)
  const today = registryOf(current)
  const taken = new Set(
    [...Object.values(current.identities.views), ...current.retired.views].map(({ id }) => id),
  )
  const views = Object.fromEntries(
    registry.views.map((view) => {
      const own = target.identities.views[view.name] ?? { id: view.id, features: {} }
      if (isOtherTable(today, view)) {
        const id = freeName(view.id, taken)
        taken.add(id)
        return [view.name, { ...own, id }]
      }
      return [view.name, { id: own.id, features: laterFeatures(view, own, contents) }]
    }),
  )
  const identities = { entities: target.identities.entities, views }
  return { definitions: target.definitions, identities, retired: retiredBy(current, identities) }
}

/** Rows under the view's id are of another key. */
function isOtherTable({ views }: Registry, { id, entity }: FeatureView): boolean {
  const today = views.find((view) => view.id === id)
  const keysOf = (one: FeatureView['entity']): readonly unknown[] =>
    one.joinKeys.map(({ name, type }) => [name, type])
  return today !== undefined && !isDeepStrictEqual(keysOf(today.entity), keysOf(entity))
}

function laterFeatures(
  view: FeatureView,
  own: ViewIdentity,
  contents: readonly [VersionContent, ...VersionContent[]],
): ViewIdentity['features'] {
  if (view.kind !== 'PLAIN' || view.source !== null) return own.features
  const there = new Map(columnsOf(contents[0], own.id).map(({ name, type }) => [name, type]))
  return Object.fromEntries(
    Object.entries(own.features).map(([name, feature]): readonly [string, FeatureIdentity] => {
      const columns = laterColumns(own.id, feature, contents).map((column) => {
        const type = there.get(column.name)
        if (type === undefined || type === column.type) return column
        const free = { name: freeName(column.name, new Set(there.keys())), type: column.type }
        there.set(free.name, free.type)
        return free
      })
      return [name, { id: feature.id, columns }]
    }),
  )
}

/** Its columns with those that later versions have for it. */
function laterColumns(
  viewId: string,
  feature: FeatureIdentity,
  contents: readonly VersionContent[],
): readonly FeatureColumn[] {
  const features = contents
    .flatMap(({ identities, retired }) => [...Object.values(identities.views), ...retired.views])
    .filter(({ id }) => id === viewId)
    .flatMap((view) => Object.values(view.features))
  const holds = (columns: readonly FeatureColumn[], column: FeatureColumn): boolean =>
    columns.some((one) => isDeepStrictEqual(one, column))
  const later = features
    .filter(({ id, columns }) => id === feature.id && feature.columns.every((one) => holds(columns, one)))
    .map(({ columns }) => columns)
  // Each widening adds one.
  return later.toSorted((left, right) => right.length - left.length)[0] ?? feature.columns
}

function columnsOf({ identities, retired }: VersionContent, viewId: string): readonly FeatureColumn[] {
  const views = [...Object.values(identities.views), ...retired.views].filter(({ id }) => id === viewId)
  return [
    ...views.flatMap(({ features }) => Object.values(features).flatMap(({ columns }) => columns)),
    ...(ownOf(retired.columns, viewId) ?? []),
  ]
}
