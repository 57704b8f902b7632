import { GraphQLBoolean, GraphQLFloat } from 'graphql'
import type {
  Entity,
  Feature,
  FeatureService,
  FeatureView,
  Registry,
  Tag,
  VectorEntry,
} from '../registry/registry.ts'
import {
  enumType,
  inputType,
  objectType,
  optional,
  optionalText,
  type RootDeclaration,
  text,
} from './declare.ts'
import { registryVersion } from './registry-types.ts'

/** `entities`, `featureViews` and `featureServices`: the definitions as data, with what descriptions can only say. */
export function declareCatalogue(registry: Registry): Readonly<Record<string, RootDeclaration>> {
  const kind = enumType('FeatureViewKind', ['PLAIN', 'BATCH', 'STREAM', 'ON_DEMAND'])
  const tag = objectType('Tag', null, { key: text, value: text })
  const tagInput = inputType('TagInput', null, { key: text, value: text })
  const joinKey = objectType('JoinKey', null, { name: text, graphqlName: text, type: text })
  const feature = objectType('Feature', null, {
    name: text,
    graphqlName: text,
    type: text,
    description: optionalText,
    unit: optionalText,
    default: optionalText,
    deprecated: optionalText,
  })
  const serviceFeature = objectType('ServiceFeature', null, {
    name: text,
    graphqlName: text,
    view: { ...optionalText, description: 'Null for a request value.' },
    role: { ...optionalText, description: 'Null: the entity by its own join keys.' },
    type: text,
    default: { type: GraphQLFloat },
    required: {
      type: GraphQLBoolean,
      description: 'A request value without a declared default: it cannot be left out.',
    },
  })
  const service = objectType('FeatureService', null, {
    name: text,
    graphqlName: text,
    description: optionalText,
    owner: optionalText,
    tags: { type: [tag] },
    joinKeys: { type: [joinKey], description: 'With the request values, what the service takes.' },
    requestValues: { type: [serviceFeature] },
    vector: { type: [serviceFeature] },
    registryVersion,
  })
  // Views name their entity and entities their views: the type functions are called once both exist.
  const viewOfEntity: object[] = []
  const entity = objectType('Entity', null, {
    name: text,
    graphqlName: text,
    description: optionalText,
    joinKeys: { type: [joinKey] },
    featureViews: { type: viewOfEntity },
    registryVersion,
  })
  const view = objectType('FeatureView', null, {
    name: text,
    graphqlName: text,
    kind: { type: kind },
    description: optionalText,
    owner: optionalText,
    tags: { type: [tag] },
    entity: { type: entity },
    source: optionalText,
    ttlSeconds: optional(GraphQLFloat),
    online: { type: GraphQLBoolean },
    features: { type: [feature] },
    services: { type: [service] },
    registryVersion,
  })
  viewOfEntity.push(view)
  const shown = catalogue(registry)
  return {
    entities: { type: [entity], resolve: () => shown.entities },
    featureViews: {
      type: [view],
      description: 'All given tags must match.',
      arguments: { entity: optionalText, owner: optionalText, tags: optional([tagInput]) },
      resolve: (_root, input) => {
        const { entity: entityName, owner, tags } = input as CatalogueFilter
        return shown.views.filter(
          (candidate) =>
            (entityName == null || candidate.entity.name === entityName) &&
            (owner == null || candidate.owner === owner) &&
            (tags ?? []).every(({ key, value }) =>
              candidate.tags.some((own) => own.key === key && own.value === value),
            ),
        )
      },
    },
    featureServices: { type: [service], resolve: () => shown.services },
  }
}

interface CatalogueFilter {
  readonly entity?: string | null
  readonly owner?: string | null
  readonly tags?: readonly Tag[] | null
}

type ShownView = Omit<FeatureView, 'entity' | 'source' | 'features'> & {
  readonly entity: ShownEntity
  readonly source: string | null
  readonly ttlSeconds: number | null
  readonly features: readonly object[]
  readonly services: readonly object[]
}
type ShownEntity = Omit<Entity, 'views'> & { readonly featureViews: ShownView[] }

/** The registry in the catalogue's shape, made once: names of sources, texts of defaults, links both ways. */
function catalogue(registry: Registry): {
  readonly entities: readonly ShownEntity[]
  readonly views: readonly ShownView[]
  readonly services: readonly object[]
} {
  const services = new Map(registry.services.map((service) => [service, showService(service)]))
  const entities = new Map(
    registry.entities.map((entity) => [entity, { ...entity, featureViews: [] as ShownView[] }]),
  )
  const views: ShownView[] = []
  for (const view of registry.views) {
    const entity = entities.get(view.entity)
    if (!entity) continue
    const shown: ShownView = {
      ...view,
      entity,
      source: sourceName(view),
      ttlSeconds: view.ttlMicros === null ? null : view.ttlMicros / 1_000_000,
      features: view.features.map(showFeature),
      services: [...services]
        .filter(([service]) => takesFrom(service, view))
        .map(([, shownService]) => shownService),
    }
    entity.featureViews.push(shown)
    views.push(shown)
  }
  return { entities: [...entities.values()], views, services: [...services.values()] }
}

function sourceName(view: FeatureView): string | null {
  return view.kind === 'PLAIN' ? ((view.source ?? view.files)?.name ?? null) : view.events.name
}

function takesFrom(service: FeatureService, view: FeatureView): boolean {
  return service.vector.some((entry) => entry.kind === 'feature' && entry.view === view)
}

function showFeature(feature: Feature): object {
  return { ...feature, default: feature.default === null ? null : String(feature.default) }
}

function showService(service: FeatureService): object {
  return {
    ...service,
    vector: service.vector.map(showEntry),
    requestValues: service.requests.map(showEntry),
  }
}

function showEntry(entry: VectorEntry): object {
  if (entry.kind === 'request') return { ...entry, view: null, role: null, required: !entry.optional }
  return { ...entry, view: entry.view.name, required: false }
}
