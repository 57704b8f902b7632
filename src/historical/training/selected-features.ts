import { BadUserInput } from '../../errors.ts'
import type {
  ComputedFeature,
  FeatureService,
  JoinKey,
  Registry,
  ServedFeature,
} from '../../registry/registry.ts'
import { mergedRequests } from '../../registry/resolve-service.ts'
import { roleTable } from '../../registry/role-table.ts'
import { type EntityUse, entityUses, mergeJoinKeys, nameInRole } from '../../registry/service-keys.ts'
import { suggest } from '../../registry/suggest.ts'
import { type AskedFeatures, parseAskedFeatures } from './asked-features.ts'

/** What a training set is made of: a service, or features of any views. */
export type FeatureSelection =
  | { readonly service: string }
  /** Each as `view:feature`, or `view` for all of a view; in a role as `view@payee(customer_id=payee_id):feature`. */
  | { readonly features: readonly string[] }

/**
 * The selection as a service: its vector in the order asked for. Features of a role are named `<role>__<feature>`. Those that
 * are called alike are named `<view>__<feature>`, in a role `<role>__<view>__<feature>`; with `fullNames` all are.
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
  const table = roleTable()
  const picked = parseAskedFeatures(selection.features).flatMap((asked) => {
    const found = pick(registry, asked)
    const [first] = found
    if (asked.role !== null && first) {
      const { name, keys } = asked.role
      const own = first.view.entity.joinKeys.map((key) => key.name)
      // The keys of the role may be given with another view, of another entity.
      const given = Object.entries(keys).filter(([key]) => asked.hasKeys || own.includes(key))
      table.take(first.view.entity, { name, keys: Object.fromEntries(given) }, (message) => {
        throw new BadUserInput(`features ${JSON.stringify(asked.text)}: ${message}`)
      })
    }
    return found
  })
  if (picked.length === 0) throw new BadUserInput('no features were asked for, as --features view:feature')
  const unique = picked.filter((entry, index) => picked.findIndex((other) => isSame(other, entry)) === index)
  const isTaken = (name: string): boolean => unique.filter((entry) => entry.name === name).length > 1
  const vector = unique.map((entry) => (fullNames || isTaken(entry.name) ? withFullName(entry) : entry))
  const roles = table.roles()
  const uses = entityUses(vector, roles)
  const entities = [...new Set(uses.map(({ entity }) => entity))]
  return {
    kind: 'feature-service',
    ...{ name: 'features', graphqlName: 'features', typeName: 'Features' },
    ...{ description: null, owner: null, tags: [] },
    ...{ vector, entities, roles, joinKeys: joinKeysOf(uses) },
    requests: mergedRequests('features', vector, ({ message }) => {
      throw new BadUserInput(message)
    }),
  }
}

type SelectedFeature = ServedFeature | ComputedFeature

function roleOf(entry: SelectedFeature): string | null {
  return entry.kind === 'feature' ? entry.role : null
}

function isSame(left: SelectedFeature, right: SelectedFeature): boolean {
  return left.view === right.view && left.feature === right.feature && roleOf(left) === roleOf(right)
}

function withFullName<Entry extends FeatureService['vector'][number]>(entry: Entry): Entry {
  if (entry.kind === 'request') return entry
  const full = `${entry.view.name}__${entry.feature.name}`
  const role = roleOf(entry)
  const name = role === null ? full : nameInRole(role, full)
  return { ...entry, name, graphqlName: name }
}

function pick(registry: Registry, asked: AskedFeatures): readonly SelectedFeature[] {
  const { view: viewName, feature: featureName } = asked
  const role = asked.role?.name ?? null
  const all = [...registry.views, ...registry.onDemandViews]
  const view = all.find(({ name }) => name === viewName)
  if (!view) {
    const names = all.map(({ name }) => name)
    throw new BadUserInput(
      `features are asked for as view:feature, ${JSON.stringify(asked.text)} came; there is no feature view ${JSON.stringify(viewName)}, ${suggest(viewName, names)}`,
    )
  }
  const features = view.features.filter(({ name }) => featureName === null || name === featureName)
  if (features.length === 0) {
    const names = view.features.map(({ name }) => name)
    throw new BadUserInput(
      `feature view "${view.name}" has no feature ${JSON.stringify(featureName)}; ${suggest(featureName ?? '', names)}`,
    )
  }
  if (view.kind === 'ON_DEMAND' && role !== null)
    throw new BadUserInput(
      `features ${JSON.stringify(asked.text)}: "${view.name}" is an on-demand view, which has no roles`,
    )
  return features.map((feature): SelectedFeature => {
    const entry = {
      name: role === null ? feature.name : nameInRole(role, feature.name),
      // Another view may have a field of that name: the GraphQL name only finds the value in its own row.
      ...{ graphqlName: feature.graphqlName, type: feature.type },
      ...{ default: feature.default ?? 0, feature },
    }
    return view.kind === 'ON_DEMAND'
      ? { kind: 'on-demand', ...entry, view }
      : { kind: 'feature', ...entry, view, role }
  })
}

function joinKeysOf(uses: readonly EntityUse[]): readonly JoinKey[] {
  return mergeJoinKeys(uses, ({ name, first, second }) => {
    if (first.type === second.type) return
    throw new BadUserInput(
      `join key "${name}" is ${first.type} in one entity and ${second.type} in "${second.entity.name}"; ask for their features in two training sets`,
    )
  })
}
