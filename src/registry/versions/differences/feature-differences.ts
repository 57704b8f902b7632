import type { WindowedAggregation } from '../../../definitions/windowed-aggregation.ts'
import type { Feature, FeatureView, OnDemandView } from '../../registry.ts'
import type { Broken } from '../changes.ts'
import { type Difference, differs, same } from './difference.ts'
import { aggregationDifferences, shownAggregation } from './feature-meaning.ts'
import { graphqlShape } from './graphql-shape.ts'

/** A feature with the view that it belongs to. */
export interface FeatureOfView {
  readonly view: FeatureView | OnDemandView
  readonly feature: Feature
}

export function addedFeature({ view, feature }: FeatureOfView): Difference {
  const aggregation = aggregationOf({ view, feature })
  const what = aggregation === null ? '' : `, ${shownAggregation(aggregation)}`
  return { how: 'added', text: `feature ${feature.name} added (${feature.type}${what})`, breaks: [] }
}

export function removedFeature({ view, feature }: FeatureOfView): Difference {
  return {
    ...{ how: 'removed', text: `feature ${feature.name} removed` },
    breaks: ['graphql', ...(hasOwnRows(view) ? (['rows'] as const) : [])],
  }
}

/** Whether what is stored of a view stands in a table that is made for it. */
export function hasOwnRows(view: FeatureView | OnDemandView): boolean {
  return (view.kind === 'PLAIN' || view.kind === 'BATCH') && view.source === null
}

/** `meaning`: what it breaks where stored and served values come to mean something else. */
export function featureDifferences(
  before: FeatureOfView,
  after: FeatureOfView,
  meaning: { readonly computed: readonly Broken[]; readonly said: readonly Broken[] },
): readonly Difference[] {
  const [old, today] = [before.feature, after.feature]
  const { name } = today
  const [was, is] = [aggregationOf(before), aggregationOf(after)]
  const computed = was === null || is === null ? [] : aggregationDifferences(name, was, is, meaning.computed)
  const found: readonly Difference[] = [
    ...renamed(old, today),
    ...computed,
    ...differs(`type of ${name}`, old.type, today.type, [
      ...(graphqlShape(old.type) === graphqlShape(today.type) ? [] : (['graphql'] as const)),
    ]),
    ...differs(`unit of ${name}`, old.unit, today.unit, meaning.said),
    ...differs(`default of ${name}`, old.default, today.default, meaning.said),
    ...differs(`description of ${name}`, old.description, today.description),
    ...differs(`deprecated of ${name}`, old.deprecated, today.deprecated),
    ...differs(`expectation of ${name}`, old.expectation, today.expectation),
    ...differs(`stored as, of ${name}`, old.id, today.id, hasOwnRows(after.view) ? ['rows'] : []),
  ]
  if (found.length > 0 || same(old.columns, today.columns)) return found
  const columns = ({ columns: all }: Feature): string[] =>
    all.map((column) => `${column.name} ${column.type}`)
  return differs(`columns of ${name}`, columns(old), columns(today))
}

function renamed(before: Feature, after: Feature): readonly Difference[] {
  const isOtherField = before.graphqlName !== after.graphqlName
  if (before.name === after.name)
    return differs(`graphqlName of ${after.name}`, before.graphqlName, after.graphqlName, ['graphql'])
  const field = isOtherField ? ` (GraphQL: ${before.graphqlName} → ${after.graphqlName})` : ''
  const text = `feature ${after.name} renamed from ${before.name}${field}`
  return [{ how: 'renamed', text, breaks: isOtherField ? ['graphql'] : [] }]
}

function aggregationOf({ view, feature }: FeatureOfView): WindowedAggregation | null {
  if (view.kind === 'PLAIN' || view.kind === 'ON_DEMAND') return null
  return view.aggregations[view.features.indexOf(feature)] ?? null
}
