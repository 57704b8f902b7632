import { formatDuration } from '../definitions/duration.ts'
import type {
  Entity,
  Feature,
  FeatureService,
  FeatureView,
  OnDemandView,
  Registry,
  RequestValue,
  Tag,
} from '../registry/registry.ts'

/** Sentences joined by a space, each ended by a full stop; null without any. */
function sentences(...parts: readonly (string | null)[]): string | null {
  const sentences = parts
    .filter((part) => part !== null && part !== '')
    .map((part) => `${part}`.replace(/\.?$/, '.'))
  return sentences.length === 0 ? null : sentences.join(' ')
}

function tagSentence(tags: readonly Tag[]): string | null {
  return tags.length === 0 ? null : `Tags: ${tags.map(({ key, value }) => `${key}=${value}`).join(', ')}`
}

function ownerSentence(owner: string | null): string | null {
  return owner === null ? null : `Owner: ${owner}`
}

/** GraphiQL shows descriptions, not directives: so text, unit, owner, ttl and tags all stand in them. */
export function describeEntity(entity: Entity): string | null {
  return sentences(entity.description, ownerSentence(entity.owner), tagSentence(entity.tags))
}

export function describeView(view: FeatureView): string | null {
  const ttl = view.ttlMicros === null ? null : `Ttl: ${formatDuration(view.ttlMicros)}`
  const offlineOnly = view.online ? null : 'Not in the online store: read offline'
  return sentences(view.description, ownerSentence(view.owner), ttl, offlineOnly, tagSentence(view.tags))
}

export function describeOnDemandView(view: OnDemandView): string | null {
  const views = new Set(view.inputs.flatMap((input) => (input.kind === 'feature' ? [input.view.name] : [])))
  const from = views.size === 0 ? '' : ` from ${[...views].join(' and ')}`
  return sentences(
    view.description,
    ownerSentence(view.owner),
    `Computed when it is asked for${from}`,
    tagSentence(view.tags),
  )
}

export function describeFeature(feature: Feature | RequestValue): string | null {
  const unit = 'unit' in feature && feature.unit !== null ? `Unit: ${feature.unit}` : null
  return sentences(feature.description, unit)
}

/** Of a service's join key: whose it is, where it is a role's. */
export function describeServiceKey({ entities, roles }: FeatureService, name: string): string | null {
  const uses = roles.flatMap((role) =>
    role.keys
      .filter((key) => key.name === name && key.joinKey !== name)
      .map(({ joinKey }) => {
        const of = entities.filter(({ joinKeys }) => joinKeys.some((key) => key.name === joinKey))
        return `${joinKey} of ${of.map((entity) => entity.name).join(' and ')} as ${role.name}`
      }),
  )
  return uses.length === 0 ? null : `The ${uses.join('; the ')}.`
}

export function describeService(service: FeatureService): string | null {
  return sentences(service.description, ownerSentence(service.owner), tagSentence(service.tags))
}

/** What the documentation of the schema opens with: the two clocks, and where to begin. */
export function describeSchema({ entities, services }: Registry): string {
  const roots = [
    ...entities.slice(0, 1).map(({ graphqlName }) => `the entity ${graphqlName}`),
    ...services.slice(0, 1).map(({ graphqlName }) => `the feature service ${graphqlName}`),
  ]
  return [
    [
      'Features of entities, on two clocks.',
      'Without a time a query answers from the online store, with the newest values, as a prediction needs them.',
      'With asOf it answers from the offline store, with the values as they were at that moment, as training needs them;',
      'with knownAt it also leaves out every row that had not arrived by then.',
      'The query stays the same, so training and serving cannot drift apart.',
    ].join(' '),
    [
      'A missing feature is null with a status, never an error: freshness says whether there is a row, how old it is and which store answered.',
      ...(roots.length === 0 ? [] : [`Begin with ${roots.join(' or ')}.`]),
      'The root fields entities, featureViews and featureServices list what there is.',
    ].join(' '),
  ].join('\n\n')
}
