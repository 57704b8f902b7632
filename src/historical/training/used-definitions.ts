import { digestOf, type FeatureDigests, featureDigests } from '../../definitions/feature-digest.ts'
import { planService } from '../../online/service-row.ts'
import type { FeatureService, FeatureView, VectorEntry } from '../../registry/registry.ts'

/**
 * A digest of all that definitions say of a training set's values: of its features what their values mean
 * (`featureDigests`), their names, types, defaults and ttl; the join keys and request values. Other features, descriptions and
 * expectations may change.
 */
export function usedDefinitions(service: FeatureService): string {
  const { vector, joinKeys, requests } = service
  return digestOf([
    planService(service).reads.map(({ view, role, keyPlaces }) => [view.id, role, keyPlaces]),
    vector.map(entryText),
    joinKeys.map(({ name, type }) => [name, type]),
    requests.map(({ name, type, optional }) => [name, type, optional]),
  ])
}

function entryText(entry: VectorEntry): unknown {
  if (entry.kind === 'request') return ['request', entry.name, entry.type, entry.default]
  const { name, type, role, view, feature } = entry
  return [
    ...['feature', name, type, entry.default, role],
    ...[view.kind, view.id, view.ttlMicros, feature.id, digestsOf(view)[feature.id] ?? null],
  ]
}

function digestsOf(view: FeatureView): FeatureDigests {
  return view.kind === 'STREAM' ? featureDigests({ ...view, kind: 'BATCH', everyMicros: 0 }) : view.digests
}

/** Names of the views whose rows stand in tables of others: nothing says which of them were there at a snapshot. */
export function mappedViews(service: FeatureService): readonly string[] {
  const mapped = planService(service).reads.filter(({ view }) => view.source !== null)
  return [...new Set(mapped.map(({ view }) => view.name))]
}
