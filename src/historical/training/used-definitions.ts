import { digestOf, type FeatureDigests, featureDigests } from '../../definitions/feature-digest.ts'
import { planService } from '../../online/service-row.ts'
import type {
  ComputedFeature,
  Feature,
  FeatureService,
  FeatureView,
  VectorEntry,
} from '../../registry/registry.ts'

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
  if (entry.kind === 'on-demand') return computedText(entry)
  const { name, type, role, view, feature } = entry
  return [...['feature', name, type, entry.default, role], ...meaningOf(view, feature)]
}

function meaningOf(view: FeatureView, feature: Feature): readonly unknown[] {
  return [view.kind, view.id, view.ttlMicros, feature.id, digestsOf(view)[feature.id] ?? null]
}

/** The function by its module, and what it is given. */
function computedText({ name, type, default: byDefault, view, feature }: ComputedFeature): unknown {
  const inputs = view.inputs.map((input) => {
    if (input.kind === 'feature') return ['feature', input.name, ...meaningOf(input.view, input.feature)]
    const { type: given, optional, default: left } = input.request
    return ['request', input.name, given, optional ? left : null]
  })
  return ['on-demand', name, type, byDefault, view.name, feature.name, view.module, inputs]
}

function digestsOf(view: FeatureView): FeatureDigests {
  return view.kind === 'STREAM' ? featureDigests({ ...view, kind: 'BATCH', everyMicros: 0 }) : view.digests
}

/** Names of the views whose rows stand in tables of others: nothing says which of them were there at a snapshot. */
export function mappedViews(service: FeatureService): readonly string[] {
  const mapped = planService(service).reads.filter(({ view }) => view.source !== null)
  return [...new Set(mapped.map(({ view }) => view.name))]
}
