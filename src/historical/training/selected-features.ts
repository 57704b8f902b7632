import { BadUserInput } from '../../errors.ts'
import type {
  ComputedFeature,
  Entity,
  FeatureService,
  JoinKey,
  Registry,
  ServedFeature,
} from '../../registry/registry.ts'
import { mergedRequests } from '../../registry/resolve-service.ts'
import { suggest } from '../../registry/suggest.ts'

/** What a training set is made of: a service, or features of any views. */
export type FeatureSelection =
  | { readonly service: string }
  /** Each as `view:feature`, or `view` for all features of a view. */
  | { readonly features: readonly string[] }

/**
 * The selection as a service: its vector in the order asked for. Features that are called alike are named
 * `<view>__<feature>`, with `fullNames` all are.
 * @throws BadUserInput for unknown names, with a suggestion, and for views whose join keys contradict each other.
 */
export function selectedFeatures(
  registry: Registry,
  selection: FeatureSelection,
  fullNames: boolean,
): FeatureService {
  if ('service' in selection) {
    const found = registry.services.find(({ name }) => name === selection.service)
    if (!found) {
      const names = registry.services.map(({ name }) => name)
      throw new BadUserInput(
        `there is no feature service ${JSON.stringify(selection.service)}; ${suggest(selection.service, names)}`,
      )
    }
    return fullNames ? { ...found, vector: found.vector.map(withFullName) } : found
  }
  const picked = selection.features.flatMap((text) => pick(registry, text))
  if (picked.length === 0) throw new BadUserInput('no features were asked for, as --features view:feature')
  const unique = picked.filter((entry, index) => picked.findIndex((other) => isSame(other, entry)) === index)
  const isTaken = (name: string): boolean => unique.filter((entry) => entry.name === name).length > 1
  const vector = unique.map((entry) => (fullNames || isTaken(entry.name) ? withFullName(entry) : entry))
  const entities = [...new Set(vector.map(({ view }) => view.entity))]
  return {
    kind: 'feature-service',
    ...{ name: 'features', graphqlName: 'features', typeName: 'Features' },
    ...{ description: null, owner: null, tags: [] },
    ...{ vector, entities, joinKeys: joinKeysOf(entities) },
    requests: mergedRequests('features', vector, ({ message }) => {
      throw new BadUserInput(message)
    }),
  }
}

type SelectedFeature = ServedFeature | ComputedFeature

function isSame(left: SelectedFeature, right: SelectedFeature): boolean {
  const roleOf = (one: SelectedFeature): string | null => (one.kind === 'feature' ? one.role : null)
  return left.view === right.view && left.feature === right.feature && roleOf(left) === roleOf(right)
}

function withFullName<Entry extends FeatureService['vector'][number]>(entry: Entry): Entry {
  if (entry.kind === 'request') return entry
  const name = `${entry.view.name}__${entry.feature.name}`
  return { ...entry, name, graphqlName: name }
}

function pick(registry: Registry, text: string): readonly SelectedFeature[] {
  const [viewName = '', featureName = null, ...rest] = text.trim().split(':')
  const all = [...registry.views, ...registry.onDemandViews]
  const view = all.find(({ name }) => name === viewName)
  if (!view || rest.length > 0) {
    const names = all.map(({ name }) => name)
    throw new BadUserInput(
      `features are asked for as view:feature, ${JSON.stringify(text)} came; there is no feature view ${JSON.stringify(viewName)}, ${suggest(viewName, names)}`,
    )
  }
  const features = view.features.filter(({ name }) => featureName === null || name === featureName)
  if (features.length === 0) {
    const names = view.features.map(({ name }) => name)
    throw new BadUserInput(
      `feature view "${view.name}" has no feature ${JSON.stringify(featureName)}; ${suggest(featureName ?? '', names)}`,
    )
  }
  return features.map((feature): SelectedFeature => {
    // Another view may have a field of that name: the GraphQL name only finds the value in its own row.
    const { name, graphqlName, type } = feature
    const entry = { name, graphqlName, type, default: feature.default ?? 0, feature }
    return view.kind === 'ON_DEMAND'
      ? { kind: 'on-demand', ...entry, view }
      : { kind: 'feature', ...entry, view, role: null }
  })
}

function joinKeysOf(entities: readonly Entity[]): readonly JoinKey[] {
  const merged = new Map<string, JoinKey>()
  for (const { name: entity, joinKeys } of entities) {
    for (const key of joinKeys) {
      const other = merged.get(key.name)
      if (other && other.type !== key.type)
        throw new BadUserInput(
          `join key "${key.name}" is ${other.type} in one entity and ${key.type} in "${entity}"; ask for their features in two training sets`,
        )
      merged.set(key.name, other ?? key)
    }
  }
  return [...merged.values()]
}
