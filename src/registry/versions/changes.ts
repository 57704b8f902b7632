import type { Feature, FeatureView, OnDemandInput, Registry, VectorEntry } from '../registry.ts'
import { definitionText, registryDigest } from '../registry-digest.ts'
import { placeOf, placesOf } from './changed-definitions.ts'
import type { Difference } from './differences/difference.ts'
import { addedEntity, entityDifferences, removedEntity } from './differences/entity-differences.ts'
import {
  addedEventSource,
  eventSourceDifferences,
  removedEventSource,
} from './differences/event-source-differences.ts'
import {
  addedOnDemandView,
  onDemandDifferences,
  removedOnDemandView,
} from './differences/on-demand-differences.ts'
import { pairById } from './differences/pair-by-id.ts'
import { addedService, removedService, serviceDifferences } from './differences/service-differences.ts'
import {
  addedView,
  otherMeanings,
  removedView,
  trainedFeatures,
  viewDifferences,
} from './differences/view-differences.ts'
import { registryOf, type VersionContent } from './version-content.ts'

/**
 * What a change breaks: documents of GraphQL clients; a feature service under its name; models that were trained with what
 * a feature meant; rows that are stored, which have to be computed again or are no longer read.
 */
export type Broken = 'graphql' | 'services' | 'models' | 'rows'

/** One difference between two versions of the registry. */
export interface Change {
  /** Kind and name of the definition, as `feature view orders`; of one that is renamed its name of today. */
  readonly place: string
  /** What happened to the subject of the sentence. */
  readonly how: 'added' | 'changed' | 'removed' | 'renamed'
  /** A sentence without the place, as `window of total_orders: 30d → 7d`. */
  readonly text: string
  readonly breaks: readonly Broken[]
}

const nothing: Registry = { entities: [], eventSources: [], views: [], onDemandViews: [], services: [] }

/**
 * Everything that differs, property by property, in the order of the definitions; removed ones last. Nothing if and only if
 * both have the same digest. `before` null: everything is added.
 */
export function changesBetween(before: VersionContent | null, after: VersionContent): readonly Change[] {
  const old = before === null ? nothing : registryOf(before)
  const today = registryOf(after)
  const found = new Map<string, readonly Change[]>()
  const gone = new Map<string, Change>()
  const note: Note = (kind, name, differences) => {
    const place = placeOf(kind, name)
    found.set(
      place,
      differences.map((one) => ({ place, ...one })),
    )
  }
  const remove: Remove = (kind, name, difference) => {
    const place = placeOf(kind, name)
    gone.set(place, { place, ...difference })
  }
  compareRegistries(old, today, note, remove)
  const changes = [
    ...placesOf(after.definitions).flatMap((place) => found.get(place) ?? []),
    ...placesOf(before?.definitions ?? []).flatMap((place) => gone.get(place) ?? []),
  ]
  return changes.length > 0 ? changes : unnamedChanges(old, today)
}

/** What no sentence is about is a difference all the same. */
function unnamedChanges(old: Registry, today: Registry): readonly Change[] {
  if (registryDigest(old) === registryDigest(today)) return []
  const texts = new Set(allOf(old).map(definitionText))
  return allOf(today).flatMap((one): readonly Change[] => {
    if (texts.has(definitionText(one))) return []
    const kind = one.kind === 'entity' || one.kind === 'event-source' || one.kind === 'feature-service'
    const place = placeOf(kind ? one.kind : 'feature-view', one.name)
    return [{ place, how: 'changed', text: 'changed', breaks: [] }]
  })
}

function allOf({ entities, eventSources, views, onDemandViews, services }: Registry) {
  return [...entities, ...eventSources, ...views, ...onDemandViews, ...services]
}

type Kind = Parameters<typeof placeOf>[0]
type Note = (kind: Kind, name: string, differences: readonly Difference[]) => void
type Remove = (kind: Kind, name: string, difference: Difference) => void

function compareRegistries(old: Registry, today: Registry, note: Note, remove: Remove): void {
  const entities = pairById(old.entities, today.entities, ({ id }) => id)
  for (const [before, after] of entities.pairs)
    note('entity', after.name, before === null ? [addedEntity(after)] : entityDifferences(before, after))
  for (const { name } of entities.removed) remove('entity', name, removedEntity)

  const served = servedFeatures(old)
  const views = pairById(old.views, today.views, ({ id }) => id)
  for (const [before, after] of views.pairs) {
    const compare = (left: FeatureView, right: FeatureView): readonly Difference[] =>
      viewDifferences(left, right, trainedFeatures(left, served))
    note('feature-view', after.name, before === null ? [addedView(after)] : compare(before, after))
  }
  for (const view of views.removed) remove('feature-view', view.name, removedView(view))

  const computed = pairById(old.onDemandViews, today.onDemandViews, ({ name }) => name)
  for (const [before, after] of computed.pairs) {
    const compare = (left: typeof after, right: typeof after): readonly Difference[] =>
      onDemandDifferences(
        left,
        right,
        new Set(left.features.filter((one) => served.has(one)).map(({ id }) => id)),
      )
    note('feature-view', after.name, before === null ? [addedOnDemandView(after)] : compare(before, after))
  }
  for (const view of computed.removed) remove('feature-view', view.name, removedOnDemandView(view))

  const sources = pairById(old.eventSources, today.eventSources, ({ name }) => name)
  for (const [before, after] of sources.pairs) {
    const meanings = views.pairs.flatMap(([left, right]) =>
      left !== null && left.kind !== 'PLAIN' && left.events === before
        ? otherMeanings(left, right, trainedFeatures(left, served))
        : [],
    )
    const compare = (left: typeof after, right: typeof after): readonly Difference[] =>
      eventSourceDifferences(left, right, [...new Set(meanings)])
    note('event-source', after.name, before === null ? [addedEventSource(after)] : compare(before, after))
  }
  for (const source of sources.removed) remove('event-source', source.name, removedEventSource(source))

  const services = pairById(old.services, today.services, ({ name }) => name)
  for (const [before, after] of services.pairs)
    note(
      'feature-service',
      after.name,
      before === null ? [addedService(after)] : serviceDifferences(before, after),
    )
  for (const { name } of services.removed) remove('feature-service', name, removedService)
}

/** With those that the functions of served ones are given. */
function servedFeatures({ services }: Registry): ReadonlySet<Feature> {
  const entries = services.flatMap(({ vector }) => vector.filter((one) => one.kind !== 'request'))
  const inputs = entries.flatMap((one) => (one.kind === 'on-demand' ? one.view.inputs : []))
  return new Set([...entries, ...inputs.filter(({ kind }) => kind === 'feature')].flatMap(featureOf))
}

function featureOf(one: VectorEntry | OnDemandInput): readonly Feature[] {
  return one.kind === 'request' ? [] : [one.feature]
}
