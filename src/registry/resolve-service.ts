import { fieldName, raiseFirst } from '../definitions/graphql-name.ts'
import { isNumeric } from '../definitions/value-type.ts'
import type { Problem, Report } from '../errors.ts'
import type { ServiceParsed } from './parse-definitions.ts'
import type {
  ComputedFeature,
  Feature,
  FeatureService,
  FeatureView,
  OnDemandView,
  RequestValue,
  ServedFeature,
  VectorEntry,
} from './registry.ts'
import { requestValue } from './resolve-request.ts'
import { roleTable } from './role-table.ts'
import { type EntityUse, entityUses, mergeJoinKeys, nameInRole } from './service-keys.ts'
import { shownHead } from './shown-head.ts'
import { suggest } from './suggest.ts'

/**
 * A service with its references resolved; without those that are wrong, which are reported. References to definitions
 * that did not parse (`brokenNames`) are not reported again.
 */
export function resolveService(
  definition: ServiceParsed,
  { views, onDemandViews }: PickableViews,
  brokenNames: Pick<ReadonlySet<string>, 'has'>,
  report: Report,
): FeatureService {
  const place = `feature service ${definition.name}`
  let whole = true
  const refuse: Report = (problem) => {
    whole = false
    report(problem)
  }
  const vector: VectorEntry[] = []
  const table = roleTable()
  definition.features.forEach((item, index) => {
    const path = `${place}.features[${index}]`
    if (item.kind === 'request') {
      if (!isNumeric(item.type)) refuse(notNumeric(`${path} (request ${item.name})`, item.type))
      vector.push(requestValue(item))
      return
    }
    const view = views.get(item.view) ?? onDemandViews.get(item.view)
    if (!view) {
      const names = [...views.keys(), ...onDemandViews.keys()]
      const message = `there is no feature view "${item.view}" among the exported definitions; ${suggest(item.view, names)}`
      if (brokenNames.has(item.view)) whole = false
      else refuse({ path, message })
      return
    }
    if (item.role) table.take(view.entity, item.role, (message) => refuse({ path: `${path}.role`, message }))
    for (const picked of item.features) {
      const of = { view, picked, role: item.role?.name ?? null }
      const entry = servedFeature(of, `${path} (${view.name}.${picked.name})`, refuse)
      if (entry) vector.push(entry)
    }
  })
  if (whole && vector.every((entry) => entry.kind === 'request')) {
    refuse({ path: `${place}.features`, message: 'a service takes features of at least one view; pick some' })
  }
  checkEqualNames(place, vector, refuse)
  const roles = table.roles()
  const uses = entityUses(vector, roles)
  const joinKeys = mergeJoinKeys(uses, ({ name, first, second }) =>
    refuse({
      path: `${place}.features`,
      message: `join key "${name}" is ${first.type} in entity ${shownUse(first)} and ${second.type} in ${shownUse(second)}; a service needs them alike`,
    }),
  )
  return {
    kind: 'feature-service',
    ...shownHead(definition),
    // What stands twice has been reported.
    vector: vector.filter(({ name }, index) => vector.findIndex((entry) => entry.name === name) === index),
    joinKeys,
    entities: [...new Set(uses.map(({ entity }) => entity))],
    roles,
    requests: mergedRequests(place, vector, refuse),
  }
}

interface PickableViews {
  readonly views: ReadonlyMap<string, FeatureView>
  readonly onDemandViews: ReadonlyMap<string, OnDemandView>
}

/**
 * The vector's request values, then those that its on-demand views take besides. One that several take is one: it may be left
 * out only where all of them can do without.
 */
export function mergedRequests(
  place: string,
  vector: readonly VectorEntry[],
  refuse: Report,
): RequestValue[] {
  const merged = new Map<string, RequestValue>()
  const own = vector.flatMap((entry) => (entry.kind === 'request' ? [entry] : []))
  for (const request of own) if (!merged.has(request.name)) merged.set(request.name, request)
  const computed = new Set(vector.flatMap((entry) => (entry.kind === 'on-demand' ? [entry.view] : [])))
  for (const view of computed) {
    for (const input of view.inputs) {
      if (input.kind === 'feature') continue
      const { request } = input
      const other = merged.get(request.name)
      if (other && (other.type !== request.type || other.graphqlName !== request.graphqlName)) {
        refuse({
          path: `${place}.features`,
          message: `request value "${request.name}" of feature view "${view.name}" is ${request.type} (${request.graphqlName}), another of this service is ${other.type} (${other.graphqlName}); rename one of them`,
        })
      } else if (!other) merged.set(request.name, request)
      else if (other.optional && !request.optional) merged.set(request.name, { ...other, optional: false })
    }
  }
  return [...merged.values()]
}

function notNumeric(path: string, type: string): Problem {
  return {
    path,
    message: `a vector holds int, float and bool values, ${type} came; leave it out of the service`,
  }
}

type ParsedItem = ServiceParsed['features'][number]
type ParsedPick = Extract<ParsedItem, { kind: 'pick' }>['features'][number]

interface PickedOf {
  readonly view: FeatureView | OnDemandView
  readonly picked: ParsedPick
  readonly role: string | null
}

function servedFeature(
  { view, picked, role }: PickedOf,
  path: string,
  refuse: Report,
): ServedFeature | ComputedFeature | null {
  const feature = view.features.find((candidate) => candidate.name === picked.name)
  if (!feature) {
    const names = view.features.map((candidate) => candidate.name)
    refuse({
      path,
      message: `feature view "${view.name}" has no feature "${picked.name}"; ${suggest(picked.name, names)}`,
    })
    return null
  }
  if (!isNumeric(feature.type)) refuse(notNumeric(path, feature.type))
  const entry = {
    ...namesOf(feature, picked.as, role),
    type: feature.type,
    default: picked.default ?? feature.default ?? 0,
  }
  // The order is the digest's.
  if (view.kind !== 'ON_DEMAND') return { kind: 'feature', ...entry, view, feature, role }
  if (role !== null)
    refuse({
      path,
      message: `"${view.name}" is an on-demand view, which has no roles yet; pick it without as(…)`,
    })
  return { kind: 'on-demand', ...entry, view, feature }
}

/**
 * `as` is the whole name. Without it a feature of a role is `<role>__<feature>`, in GraphQL the role's field name and the
 * feature's, the first letter of that raised: `payee__total_30d` is `payeeTotal30d`, also where the feature has a
 * `graphqlName` of its own.
 */
function namesOf(
  feature: Feature,
  as: string | undefined,
  role: string | null,
): Pick<ServedFeature, 'name' | 'graphqlName'> {
  if (as !== undefined) return { name: as, graphqlName: fieldName(as) }
  if (role === null) return { name: feature.name, graphqlName: feature.graphqlName }
  return {
    name: nameInRole(role, feature.name),
    graphqlName: `${fieldName(role)}${raiseFirst(feature.graphqlName)}`,
  }
}

function checkEqualNames(place: string, vector: readonly VectorEntry[], refuse: Report): void {
  const seen = new Set<string>()
  for (const { name, kind } of vector) {
    if (seen.has(name)) {
      const remedy =
        kind === 'request' ? 'rename the request value' : `pick it as { name: '${name}', as: 'another_name' }`
      refuse({ path: `${place}.features`, message: `two values are named "${name}"; ${remedy}` })
    }
    seen.add(name)
  }
}

function shownUse({ entity, role }: EntityUse): string {
  return role === null ? `"${entity.name}"` : `"${entity.name}" as ${role.name}`
}
