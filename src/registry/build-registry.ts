import { featureDigests, viewDefinition } from '../definitions/feature-digest.ts'
import { fieldName, plural } from '../definitions/graphql-name.ts'
import type { ParquetSource } from '../definitions/parquet-source.ts'
import { InvalidDefinitions, type Problem, type Report } from '../errors.ts'
import { checkBroken, type Referred } from './check-broken.ts'
import { checkExpectedFeatures } from './check-expected-features.ts'
import { checkNames } from './check-names.ts'
import { firstIdentities, type Identities, ownOf } from './identities.ts'
import {
  type Definition,
  type EntityParsed,
  parseDefinitions,
  type ViewParsed,
  type WindowedViewParsed,
} from './parse-definitions.ts'
import type { Entity, Feature, FeatureView, JoinKey, OnDemandView, PlainView, Registry } from './registry.ts'
import { resolveEventSource } from './resolve-event-source.ts'
import { resolveOnDemandView } from './resolve-on-demand-view.ts'
import { resolveSchedule } from './resolve-schedule.ts'
import { resolveService } from './resolve-service.ts'
import { resolveWindowedView } from './resolve-windowed-view.ts'
import { shownHead } from './shown-head.ts'
import { suggest } from './suggest.ts'
import { resolveFeature, viewHead } from './view-head.ts'

/**
 * Definitions → the frozen registry. Every problem of every definition and of their references is reported at once,
 * each with its path and file, what was expected and a suggestion. With `unloaded`, the problems of files that could not
 * be loaded, what refers to nothing may refer to those. `identities`: of the version that these definitions are, or are to be.
 * @throws InvalidDefinitions
 */
export function buildRegistry(
  definitions: readonly Definition[],
  unloaded: readonly Problem[] = [],
  identities: Identities = firstIdentities,
): Registry {
  const problems = [...unloaded]
  const parsed = parseDefinitions(definitions, (problem) => problems.push(problem))
  const report: Report = ({ path, message }) => problems.push({ path: located(path, parsed.paths), message })
  const brokenNames = unloaded.length === 0 ? parsed.brokenNames : { has: () => true }

  const entities = new Map(
    parsed.entities.map((definition) => [definition.name, resolveEntity(definition, identities)]),
  )
  const eventSources = new Map(
    parsed.eventSources.map((definition) => [definition.name, resolveEventSource(definition, report)]),
  )
  const views = new Map<string, FeatureView>()
  const onDemandNames = new Set(parsed.onDemandViews.map(({ name }) => name))
  const known = { entity: entities, 'event source': eventSources, 'feature view': views } as const
  const reportUnknown = (path: string, what: Referred, name: string): void => {
    if (known[what].has(name) || brokenNames.has(name)) return
    if (what === 'feature view' && onDemandNames.has(name)) return
    const hint = suggest(name, [...known[what].keys()])
    report({ path, message: `there is no ${what} "${name}" among the exported definitions; ${hint}` })
  }
  for (const definition of parsed.views) {
    const place = `feature view ${definition.name}`
    const found = entities.get(definition.entity)
    if (!found) reportUnknown(`${place}.entity`, 'entity', definition.entity)
    // The rest of a view is checked also where what it refers to is not there.
    const entity = found ?? resolveEntity(standIn(definition.entity), identities)
    let view: FeatureView
    if (definition.kind === 'feature-view') {
      view = resolveView(definition, entity, identities, report)
      if (found) checkSource(definition, entity, report)
    } else {
      const events = eventSources.get(definition.source)
      if (!events) reportUnknown(`${place}.source`, 'event source', definition.source)
      view = events
        ? resolveWindowedView(definition, entity, events, identities, report)
        : resolveWithoutEvents(definition, entity, identities, report)
    }
    views.set(view.name, view)
    entity.views.push(view)
  }
  const knownInputs = { entities, views, onDemand: onDemandNames, brokenNames }
  const onDemandViews = new Map<string, OnDemandView>()
  for (const definition of parsed.onDemandViews) {
    const view = resolveOnDemandView(definition, knownInputs, report)
    if (view === null) continue
    onDemandViews.set(view.name, view)
    entities.get(view.entity.name)?.onDemandViews.push(view)
  }
  // What a view without an entity is picked for has been reported with the view.
  const isBroken = (name: string): boolean =>
    brokenNames.has(name) || (onDemandNames.has(name) && !onDemandViews.has(name))
  const services = parsed.services.map((definition) =>
    resolveService(definition, { views, onDemandViews }, { has: isBroken }, report),
  )
  for (const broken of parsed.broken) checkBroken(broken, reportUnknown, report)
  const registry = {
    entities: [...entities.values()],
    eventSources: [...eventSources.values()],
    views: [...views.values()],
    onDemandViews: [...onDemandViews.values()],
    services,
  }
  checkNames(registry, report)
  if (definitions.length === 0 && unloaded.length === 0) {
    report({
      path: 'schema',
      message: 'no definitions were found; export at least one entity and feature view',
    })
  }
  if (problems.length > 0) throw new InvalidDefinitions(problems)
  return deepFreeze(registry)
}

/** The path of a problem, with the file and the export of the definition that it is about. */
function located(path: string, paths: ReadonlyMap<string, string>): string {
  const [place] = /^(?:entity|event source|feature view|feature service) [^\s.([]+/.exec(path) ?? []
  const file = place === undefined ? undefined : paths.get(place)
  return file === undefined ? path : `${path} (${file})`
}

function standIn(name: string): EntityParsed {
  return { kind: 'entity', name, joinKeys: {}, tags: {} }
}

/** A windowed view whose events are not known: what its features would be computed from cannot be checked. */
function resolveWithoutEvents(
  definition: WindowedViewParsed,
  entity: Entity,
  identities: Identities,
  report: Report,
): PlainView {
  checkExpectedFeatures(definition, report)
  const features = Object.entries(definition.features).map(([name, parsed]) =>
    resolveFeature(definition, name, parsed, null, identities, report),
  )
  return {
    kind: 'PLAIN',
    ...viewHead(definition, entity, identities),
    ...{ digests: {}, definition: '', source: null, files: null, features },
    emptyValues: features.map(() => null),
    schedule: { batch: null, materialize: null },
  }
}

type GrowingEntity = Entity & { readonly views: FeatureView[]; readonly onDemandViews: OnDemandView[] }

function resolveEntity(definition: EntityParsed, identities: Identities): GrowingEntity {
  const head = shownHead(definition)
  const joinKeys = Object.entries(definition.joinKeys).map(([name, key]): JoinKey => {
    const { type, graphqlName: explicit = undefined } = typeof key === 'string' ? { type: key } : key
    return { name, type, graphqlName: explicit ?? fieldName(name) }
  })
  return {
    kind: 'entity',
    id: ownOf(identities.entities, definition.name) ?? definition.name,
    ...head,
    pluralName: definition.plural ?? plural(head.graphqlName),
    joinKeys,
    views: [],
    onDemandViews: [],
  }
}

function resolveView(
  definition: ViewParsed,
  entity: Entity,
  identities: Identities,
  report: Report,
): PlainView {
  checkExpectedFeatures(definition, report)
  if (definition.schedule?.batch !== undefined) {
    const message = 'only windowed views are computed in batch; schedule materialize, or nothing'
    report({ path: `feature view ${definition.name}.schedule.batch`, message })
  }
  const features = Object.entries(definition.features).map(([name, feature]): Feature => {
    const options = typeof feature === 'string' ? { type: feature } : feature
    return resolveFeature(definition, name, options, options.type, identities, report)
  })
  const declared = definition.source
  const source = declared === undefined || declared.kind === 'files' ? null : declared
  const digests = featureDigests({ kind: 'PLAIN', entity, features, source })
  return {
    kind: 'PLAIN',
    ...viewHead(definition, entity, identities),
    ...{ digests, definition: viewDefinition(digests) },
    source,
    files: declared?.kind === 'files' ? declared : null,
    features,
    emptyValues: features.map(({ name }) =>
      source?.kind === 'parquet' ? (source.empty[name] ?? null) : null,
    ),
    schedule: { ...resolveSchedule(definition, report), batch: null },
  }
}

function checkSource(definition: ViewParsed, entity: Entity, report: Report): void {
  if (definition.source?.kind === 'parquet') checkEmpty(definition, definition.source, report)
  const known = [...entity.joinKeys.map((key) => key.name), ...Object.keys(definition.features)]
  for (const name of Object.keys(definition.source?.columns ?? {})) {
    if (known.includes(name)) continue
    report({
      path: `feature view ${definition.name}.source.columns.${name}`,
      message: `"${name}" is neither a join key nor a feature of this view; ${suggest(name, known)}`,
    })
  }
}

const countingTypes = /^(?:int|float|decimal)[^[]*$/

/** What features of closing rows are is said of numbers alone. */
function checkEmpty({ name: view, features }: ViewParsed, { empty }: ParquetSource, report: Report): void {
  for (const name of Object.keys(empty)) {
    const feature = features[name]
    const path = `feature view ${view}.source.empty.${name}`
    const type = typeof feature === 'string' ? feature : feature?.type
    if (type === undefined)
      report({
        path,
        message: `feature view "${view}" has no feature "${name}"; ${suggest(name, Object.keys(features))}`,
      })
    else if (!countingTypes.test(type))
      report({
        path,
        message: `feature "${name}" is ${type}; only numbers are something else than null there`,
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
