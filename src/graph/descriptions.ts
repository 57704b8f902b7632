import { formatDuration } from '../definitions/duration.ts'
import type { Entity, Feature, FeatureService, FeatureView, RequestValue, Tag } from '../registry/registry.ts'

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

export function describeFeature(feature: Feature | RequestValue): string | null {
  const unit = 'unit' in feature && feature.unit !== null ? `Unit: ${feature.unit}` : null
  return sentences(feature.description, unit)
}

export function describeService(service: FeatureService): string | null {
  return sentences(service.description, ownerSentence(service.owner), tagSentence(service.tags))
}
