import { featureDigests, viewDefinition } from '../definitions/feature-digest.ts'
import { fieldName, plural } from '../definitions/graphql-name.ts'
import { InvalidDefinitions, type Problem, type Report } from '../errors.ts'
import { checkExpectedFeatures } from './check-expected-features.ts'
import { checkNames } from './check-names.ts'
import { type Definition, type EntityParsed, parseDefinitions, type ViewParsed } from './parse-definitions.ts'
import type {
  Entity,
  Feature,
  FeatureService,
  FeatureView,
  JoinKey,
  PlainView,
  Registry,
} from './registry.ts'
import { resolveEventSource } from './resolve-event-source.ts'
import { resolveSchedule } from './resolve-schedule.ts'
import { resolveService } from './resolve-service.ts'
import { resolveWindowedView } from './resolve-windowed-view.ts'
import { shownHead } from './shown-head.ts'
import { suggest } from './suggest.ts'
import { resolveFeature, viewHead } from './view-head.ts'

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
  const eventSources = new Map(
    parsed.eventSources.map((definition) => [definition.name, resolveEventSource(definition, report)]),
  )
  const views = new Map<string, FeatureView>()
  const reportUnknown = (view: string, what: string, name: string, known: Iterable<string>): void => {
    if (parsed.brokenNames.has(name)) return
    report({
      path: `feature view ${view}.${what === 'entity' ? 'entity' : 'source'}`,
      message: `there is no ${what} "${name}" among the exported definitions; ${suggest(name, [...known])}`,
    })
  }
  for (const definition of parsed.views) {
    const entity = entities.get(definition.entity)
    if (!entity) reportUnknown(definition.name, 'entity', definition.entity, entities.keys())
    if (definition.kind === 'feature-view') {
      if (!entity) continue
      const view = resolveView(definition, entity, report)
      views.set(view.name, view)
      entity.views.push(view)
      checkSource(definition, entity, report)
      continue
    }
    const events = eventSources.get(definition.source)
    if (!events) reportUnknown(definition.name, 'event source', definition.source, eventSources.keys())
    if (!entity || !events) continue
    const view = resolveWindowedView(definition, entity, events, report)
    views.set(view.name, view)
    entity.views.push(view)
  }
  const services: FeatureService[] = []
  for (const definition of parsed.services) {
    const service = resolveService(definition, views, parsed.brokenNames, report)
    if (service) services.push(service)
  }
  const registry = {
    entities: [...entities.values()],
    eventSources: [...eventSources.values()],
    views: [...views.values()],
    services,
  }
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

type GrowingEntity = Entity & { readonly views: FeatureView[] }

function resolveEntity(definition: EntityParsed): GrowingEntity {
  const head = shownHead(definition)
  const joinKeys = Object.entries(definition.joinKeys).map(([name, key]): JoinKey => {
    const { type, graphqlName: explicit = undefined } = typeof key === 'string' ? { type: key } : key
    return { name, type, graphqlName: explicit ?? fieldName(name) }
  })
  return {
    kind: 'entity',
    ...head,
    pluralName: definition.plural ?? plural(head.graphqlName),
    joinKeys,
    views: [],
  }
}

function resolveView(definition: ViewParsed, entity: Entity, report: Report): PlainView {
  checkExpectedFeatures(definition, report)
  if (definition.schedule?.batch !== undefined) {
    const message = 'only windowed views are computed in batch; schedule materialize, or nothing'
    report({ path: `feature view ${definition.name}.schedule.batch`, message })
  }
  const features = Object.entries(definition.features).map(([name, feature]): Feature => {
    const options = typeof feature === 'string' ? { type: feature } : feature
    return resolveFeature(definition, name, options, options.type, report)
  })
  const source = definition.source?.kind === 'postgres' ? definition.source : null
  const digests = featureDigests({ kind: 'PLAIN', entity, features, source })
  return {
    kind: 'PLAIN',
    ...viewHead(definition, entity),
    ...{ digests, definition: viewDefinition(digests) },
    source,
    files: definition.source?.kind === 'files' ? definition.source : null,
    features,
    emptyValues: features.map(() => null),
    schedule: { ...resolveSchedule(definition, report), batch: null },
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
