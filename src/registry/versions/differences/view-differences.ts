import { formatDuration } from '../../../definitions/duration.ts'
import type { Micros } from '../../../definitions/timestamp.ts'
import { isComputed } from '../../is-computed.ts'
import type { Feature, FeatureView, PlainView } from '../../registry.ts'
import type { Broken } from '../changes.ts'
import { counted, type Difference, differs, differsInOrder, differsInWords } from './difference.ts'
import { addedFeature, featureDifferences, hasOwnRows, removedFeature } from './feature-differences.ts'
import { meaningOf } from './feature-meaning.ts'
import { pairById } from './pair-by-id.ts'
import { documentedDifferences, nameDifferences } from './shown-differences.ts'

export function addedView(view: FeatureView): Difference {
  const text = `added (${counted(view.features.length, 'feature')} of ${view.entity.name})`
  return { how: 'added', text, breaks: [] }
}

export function removedView(view: FeatureView): Difference {
  const text = `removed, with ${counted(view.features.length, 'feature')}`
  return { how: 'removed', text, breaks: ['graphql', ...(hasOwnRows(view) ? (['rows'] as const) : [])] }
}

/** Ids of the features that models may have been trained with: those that are stored, and those of services. */
export type TrainedFeatures = ReadonlySet<string>

export function trainedFeatures(view: FeatureView, served: ReadonlySet<Feature>): TrainedFeatures {
  return new Set(view.features.filter((one) => view.kind !== 'STREAM' || served.has(one)).map(({ id }) => id))
}

/** What a feature that means something else breaks. */
function meaningBreaks(view: FeatureView, feature: Feature, trained: TrainedFeatures): readonly Broken[] {
  const hasRows = view.kind !== 'STREAM' && isComputed(view)
  return [...(trained.has(feature.id) ? (['models'] as const) : []), ...(hasRows ? (['rows'] as const) : [])]
}

export function viewDifferences(
  before: FeatureView,
  after: FeatureView,
  trained: TrainedFeatures,
): readonly Difference[] {
  const meanings = otherMeanings(before, after, trained)
  const { pairs, removed } = pairById(before.features, after.features, ({ id }) => id)
  const said = (id: string): readonly Broken[] => (trained.has(id) ? ['models'] : [])
  return [
    ...nameDifferences(before, after),
    ...differs('entity', before.entity.name, after.entity.name),
    ...sourceDifferences(before, after, meanings),
    ...differsInWords('ttl', shownDuration(before.ttlMicros), shownDuration(after.ttlMicros)),
    ...differs('online', before.online, after.online),
    ...pairs.flatMap(([old, feature]): readonly Difference[] =>
      old === null
        ? [addedFeature({ view: after, feature })]
        : featureDifferences(
            { view: before, feature: old },
            { view: after, feature },
            { computed: meaningBreaks(before, old, trained), said: said(old.id) },
          ),
    ),
    ...removed.map((feature) => removedFeature({ view: before, feature })),
    ...differsInOrder('its features', idsOf(before), idsOf(after), {
      names: after.features.map(({ name }) => name),
    }),
    ...differs('expected rows', before.rowCount, after.rowCount),
    ...differs('schedule', before.schedule, after.schedule),
    ...documentedDifferences(before, after),
    ...differs('stored as', before.id, after.id, hasOwnRows(after) ? ['rows'] : []),
  ]
}

/** What is broken by features of both that mean something else, for whatever reason. */
export function otherMeanings(
  before: FeatureView,
  after: FeatureView,
  trained: TrainedFeatures,
): readonly Broken[] {
  const [old, today] = [meaningOf(before), meaningOf(after)]
  const { pairs } = pairById(before.features, after.features, ({ id }) => id)
  const broken = pairs.flatMap(([earlier, feature]) =>
    earlier === null || old[earlier.name] === today[feature.name]
      ? []
      : meaningBreaks(before, earlier, trained),
  )
  return (['models', 'rows'] as const).filter((one) => broken.includes(one))
}

/** Where the rows come from, and when they are computed. */
function sourceDifferences(
  before: FeatureView,
  after: FeatureView,
  meanings: readonly Broken[],
): readonly Difference[] {
  const push = hasOwnRows(before) && !hasOwnRows(after) ? (['graphql'] as const) : []
  const graphql = push.length > 0 || losesHistory(before, after) ? (['graphql'] as const) : []
  const otherKind = differsInWords('compute', computedBy(before), computedBy(after), [
    ...graphql,
    ...meanings,
  ])
  if (before.kind === 'PLAIN' && after.kind === 'PLAIN')
    return [
      ...partsDiffer('source', before.source, after.source, [...push, ...meanings]),
      ...partsDiffer('files', before.files, after.files, []),
    ]
  const source = (view: FeatureView): string | null =>
    view.kind === 'PLAIN' ? ((view.source ?? view.files)?.name ?? null) : view.events.name
  return [...otherKind, ...differs('source', source(before), source(after), meanings)]
}

/** Of streaming views there is no history, and of plain ones it does not say what was pushed. */
function losesHistory(before: FeatureView, after: FeatureView): boolean {
  if (before.kind === 'STREAM') return false
  return after.kind === 'STREAM' || (before.kind === 'BATCH' && after.kind === 'PLAIN')
}

/** One part after the other where there was a source and is one. */
function partsDiffer(
  what: string,
  before: PlainView['source' | 'files'],
  after: PlainView['source' | 'files'],
  breaks: readonly Broken[],
): readonly Difference[] {
  if (before === null || after === null) return differs(what, before?.name, after?.name, breaks)
  const [old, today] = [Object.entries(before), new Map(Object.entries(after))]
  const names = new Set([...old.map(([name]) => name), ...today.keys()])
  return [...names].flatMap((name) =>
    differs(`${name} of its ${what}`, new Map(old).get(name), today.get(name), breaks),
  )
}

function computedBy(view: FeatureView): string {
  switch (view.kind) {
    case 'PLAIN':
      return 'rows from outside'
    case 'BATCH':
      return `batch every ${formatDuration(view.everyMicros)}`
    case 'STREAM':
      return 'stream'
  }
}

function shownDuration(micros: Micros | null): string | null {
  return micros === null ? null : formatDuration(micros)
}

function idsOf({ features }: FeatureView): readonly string[] {
  return features.map(({ id }) => id)
}
