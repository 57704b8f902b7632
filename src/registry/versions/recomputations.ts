import { windowsFingerprint } from '../../stores/online-value/tile-sections.ts'
import { isComputed } from '../is-computed.ts'
import type { BatchView, EventSource, FeatureView, Registry, StoredView, StreamView } from '../registry.ts'
import { meaningOf } from './differences/feature-meaning.ts'
import { pairById } from './differences/pair-by-id.ts'

/** What has to be computed again, or to be built, before all that is asked for is answered by the new definitions. */
export type Recomputation =
  /** Of the view as it is stored: `features` of today mean something else, or are not in its snapshots. */
  | { readonly kind: 'SNAPSHOTS'; readonly view: BatchView; readonly features: readonly string[] }
  /** Rows in the online store that are to be materialized again; `view` as it is stored. */
  | { readonly kind: 'ONLINE_ROWS'; readonly view: StoredView; readonly features: readonly string[] }
  /** Tiles of a streaming feature view, from the stored events; `view` of today. */
  | { readonly kind: 'TILES'; readonly view: StreamView }
  /** Of stored events, for streaming feature views by other join keys; of a view's rows, where it covers the features. */
  | {
      readonly kind: 'INDEX'
      readonly on: EventSource | StoredView
      /** Its columns, as `customer_id`. */
      readonly columns: readonly string[]
    }

/** In the order of the definitions: feature views, then event sources. Nothing of what is new altogether. */
export function recomputationsBetween(before: Registry, after: Registry): readonly Recomputation[] {
  const views = pairById(before.views, after.views, ({ id }) => id).pairs
  const sources = pairById(before.eventSources, after.eventSources, ({ name }) => name).pairs
  return [
    ...views.flatMap(([old, today]) => [
      ...ofView(old, today, before),
      ...(old === null ? [] : otherCovering(old, today)),
    ]),
    ...sources.flatMap(([old, today]) => (old === null ? [] : newIndexes(old, today))),
  ]
}

function ofView(
  before: FeatureView | null,
  after: FeatureView,
  { eventSources }: Registry,
): readonly Recomputation[] {
  if (after.kind === 'STREAM') {
    const hasEvents = eventSources.some(({ name }) => name === after.events.name)
    return after.online && hasEvents && !isTiledAlike(before, after) ? [{ kind: 'TILES', view: after }] : []
  }
  if (before === null || before.kind === 'STREAM' || before.kind !== after.kind) return []
  const features = otherFeatures(before, after)
  if (features.length === 0 || !isComputed(before)) return []
  return [
    ...(before.kind === 'BATCH' ? [{ kind: 'SNAPSHOTS', view: before, features } as const] : []),
    ...(before.online && after.online ? [{ kind: 'ONLINE_ROWS', view: before, features } as const] : []),
  ]
}

/** Tiles are found by their windows, whatever their features are called. */
function isTiledAlike(before: FeatureView | null, after: StreamView): boolean {
  if (before?.kind !== 'STREAM' || !before.online) return false
  const fingerprint = ({ id, aggregations }: StreamView): number => windowsFingerprint('', id, aggregations)
  return before.events.name === after.events.name && fingerprint(before) === fingerprint(after)
}

/** Features of today that are new, or mean something else than what is stored. */
function otherFeatures(before: StoredView, after: StoredView): readonly string[] {
  const [old, today] = [meaningOf(before), meaningOf(after)]
  return pairById(before.features, after.features, ({ id }) => id).pairs.flatMap(([earlier, { name }]) =>
    earlier !== null && old[earlier.name] === today[name] ? [] : [name],
  )
}

function newIndexes(before: EventSource, after: EventSource): readonly Recomputation[] {
  if (after.table !== null || before.table !== null) return []
  const known = new Set(before.indexedKeys.map((keys) => keys.join()))
  return after.indexedKeys
    .filter((keys) => !known.has(keys.join()))
    .map((keys) => ({ kind: 'INDEX', on: after, columns: keys }))
}

const isFixedSize = (type: string): boolean => !/^(?:string|bytes)$|\[\]$/.test(type)

/** The index for as-of queries holds the columns of features of fixed size: with other columns it is another index. */
function otherCovering(before: FeatureView, after: FeatureView): readonly Recomputation[] {
  if (before.kind === 'STREAM' || after.kind === 'STREAM') return []
  if (before.source !== null || after.source !== null || before.id !== after.id) return []
  const columnsOf = ({ features }: StoredView) => features.flatMap(({ columns }) => columns)
  const covers = columnsOf(after).every(({ type }) => isFixedSize(type))
  const known = new Set(columnsOf(before).map(({ name }) => name))
  if (!covers || columnsOf(after).every(({ name }) => known.has(name))) return []
  const columns = [...after.entity.joinKeys.map(({ name }) => name), 'event_timestamp']
  return [{ kind: 'INDEX', on: before, columns }]
}
