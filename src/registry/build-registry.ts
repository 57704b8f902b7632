import { parseDuration } from '../definitions/duration.ts'
import { fieldName, plural, raiseFirst } from '../definitions/graphql-name.ts'
import { InvalidDefinitions, type Problem } from '../errors.ts'
import { checkNames } from './check-names.ts'
import { type Definition, type EntityParsed, parseDefinitions, type ViewParsed } from './parse-definitions.ts'
import type { Entity, Feature, FeatureService, FeatureView, JoinKey, Registry, Tag } from './registry.ts'
import { resolveExpectation } from './resolve-expectation.ts'
import { resolveService } from './resolve-service.ts'
import { suggest } from './suggest.ts'

type Report = (problem: Problem) => void

/**
 * Definitions → the frozen registry. Every problem of every definition and of their references is reported at once,
 * each with its path, what was expected and a suggestion.
 * @throws InvalidDefinitions
 */
export function buildRegistry(definitions: readonly Definition[]): Registry {
  const problems: Problem[] = []
  const report: Report = (problem) => problems.push(problem)
  const parsed = parseDefinitions(definitions, report)

  const entities = new Map(parsed.entities.map((definition) => [definition.name, resolveEntity(definition)]))
  const views = new Map<string, FeatureView>()
  for (const definition of parsed.views) {
    const entity = entities.get(definition.entity)
    if (entity) {
      const view = resolveView(definition, entity, report)
      views.set(view.name, view)
      entity.views.push(view)
      checkSource(definition, entity, report)
    } else {
      const known = parsed.brokenNames.has(definition.entity)
      const hint = suggest(definition.entity, [...entities.keys()])
      if (!known) {
        report({
          path: `feature view ${definition.name}.entity`,
          message: `there is no entity "${definition.entity}" among the exported definitions; ${hint}`,
        })
      }
    }
  }
  const services: FeatureService[] = []
  for (const definition of parsed.services) {
    const service = resolveService(definition, views, parsed.brokenNames, report)
    if (service) services.push(service)
  }
  const registry = { entities: [...entities.values()], views: [...views.values()], services }
  checkNames(registry, report)
  if (definitions.length === 0) {
    report({
      path: 'schema',
      message: 'no definitions were found; export at least one entity and feature view',
    })
  }
  if (problems.length > 0) throw new InvalidDefinitions(problems)
  return deepFreeze(registry)
}

function tagsOf(tags: Readonly<Record<string, string>>): Tag[] {
  return Object.entries(tags).map(([key, value]) => ({ key, value }))
}

type GrowingEntity = Entity & { readonly views: FeatureView[] }

function resolveEntity(definition: EntityParsed): GrowingEntity {
  const graphqlName = definition.graphqlName ?? fieldName(definition.name)
  const joinKeys = Object.entries(definition.joinKeys).map(([name, key]): JoinKey => {
    const { type, graphqlName: explicit = undefined } = typeof key === 'string' ? { type: key } : key
    return { name, type, graphqlName: explicit ?? fieldName(name) }
  })
  return {
    kind: 'entity',
    name: definition.name,
    graphqlName,
    typeName: raiseFirst(graphqlName),
    pluralName: definition.plural ?? plural(graphqlName),
    description: definition.description ?? null,
    owner: definition.owner ?? null,
    tags: tagsOf(definition.tags),
    joinKeys,
    views: [],
  }
}

function resolveView(definition: ViewParsed, entity: Entity, report: Report): FeatureView {
  checkExpectedFeatures(definition, report)
  const graphqlName = definition.graphqlName ?? fieldName(definition.name)
  const features = Object.entries(definition.features).map(([name, feature]): Feature => {
    const options = typeof feature === 'string' ? { type: feature } : feature
    const expect = options.expect ?? definition.expect[name]
    const path = `feature view ${definition.name}.expect.${name}`
    return {
      name,
      graphqlName: options.graphqlName ?? fieldName(name),
      type: options.type,
      description: options.description ?? null,
      unit: options.unit ?? null,
      default: options.default ?? null,
      deprecated: options.deprecated ?? null,
      expectation: expect === undefined ? null : resolveExpectation(expect, options.type, path, report),
    }
  })
  return {
    kind: 'PLAIN',
    name: definition.name,
    graphqlName,
    typeName: raiseFirst(graphqlName),
    description: definition.description ?? null,
    owner: definition.owner ?? null,
    tags: tagsOf(definition.tags),
    entity,
    source: definition.source ?? null,
    ttlMicros: definition.ttl === undefined ? null : parseDuration(definition.ttl),
    online: definition.online,
    features,
  }
}

/** A view's expectations name its features, and none that carries its own. */
function checkExpectedFeatures(definition: ViewParsed, report: Report): void {
  const names = Object.keys(definition.features)
  for (const name of Object.keys(definition.expect)) {
    const path = `feature view ${definition.name}.expect.${name}`
    const feature = definition.features[name]
    if (feature === undefined) {
      report({
        path,
        message: `feature view "${definition.name}" has no feature "${name}"; ${suggest(name, names)}`,
      })
    } else if (typeof feature !== 'string' && feature.expect !== undefined) {
      report({ path, message: `feature "${name}" carries an expectation of its own; keep one of the two` })
    }
  }
}

function checkSource(definition: ViewParsed, entity: Entity, report: Report): void {
  const known = [...entity.joinKeys.map((key) => key.name), ...Object.keys(definition.features)]
  for (const name of Object.keys(definition.source?.columns ?? {})) {
    if (known.includes(name)) continue
    report({
      path: `feature view ${definition.name}.source.columns.${name}`,
      message: `"${name}" is neither a join key nor a feature of this view; ${suggest(name, known)}`,
    })
  }
}

function deepFreeze<T extends object>(value: T): T {
  if (Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const inner of Object.values(value)) {
    if (typeof inner === 'object' && inner !== null) deepFreeze(inner)
  }
  return value
}
