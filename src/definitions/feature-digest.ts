import { createHash } from 'node:crypto'
import type { PostgresSource } from './data-source.ts'
import type { ParquetSource } from './parquet-source.ts'
import type { Micros } from './timestamp.ts'
import type { ValueType } from './value-type.ts'
import type { WindowedAggregation } from './windowed-aggregation.ts'

interface DigestedKey {
  readonly name: string
  readonly type: ValueType
}

/** Where the events of a windowed view stand, and what they are called there. */
interface DigestedEvents {
  readonly name: string
  readonly topic: string | null
  readonly table: string | null
  readonly eventTimestamp: string
  readonly createdTimestamp: string | null
  readonly eventId: string | null
  readonly fields: readonly { readonly name: string; readonly column: string }[]
}

interface DigestedFeature extends DigestedKey {
  /** Its first name. */
  readonly id: string
}

interface DigestedView {
  readonly entity: { readonly joinKeys: readonly DigestedKey[] }
  readonly features: readonly DigestedFeature[]
}

export type MeaningfulView =
  | (DigestedView & { readonly kind: 'PLAIN'; readonly source: PostgresSource | ParquetSource | null })
  | (DigestedView & {
      readonly kind: 'BATCH'
      readonly events: DigestedEvents
      readonly everyMicros: Micros
      /** In the features' order. */
      readonly aggregations: readonly WindowedAggregation[]
    })

/** Feature id → digest of all that decides its values. */
export type FeatureDigests = Readonly<Record<string, string>>

/**
 * A digest per feature of what its values mean: equal where rows that were computed by one definition may answer for the
 * other. It takes in the join keys and the value type, and
 *
 * - of an aggregation: the aggregate, its field, window, hop and `where` (in any order), the view's `every`, and of the event
 *   source the table (else its name and topic), the timestamp columns, the event id, and what the feature's fields and the
 *   join keys are called there;
 * - of rows in a mapped table: the table or query, its timestamp and row id columns, and the feature's and the join keys'
 *   columns; in Parquet files their path and format, the same columns and that of closing rows, and the timezone. Rows in a table of the gateway's own mean what their writer says.
 *
 * Names, descriptions, defaults, expectations, ttl and the other features are no part of it: they change no stored value.
 */
export function featureDigests(view: MeaningfulView): FeatureDigests {
  return Object.fromEntries(
    view.features.map((feature, index) => [feature.id, digestOf(canonicalFeature(view, feature, index))]),
  )
}

/** Of all features of a view, in any order: the same where every one means the same and none is more. */
export function viewDefinition(digests: FeatureDigests): string {
  return digestOf(Object.entries(digests).sort(([left], [right]) => (left < right ? -1 : 1)))
}

/**
 * How rows that were computed by another definition stand to a view's of today: the ids of today's features that the other
 * one lacks (none: the rows may answer); null where a feature of both means something else.
 */
export function lackingFeatures(stored: FeatureDigests, today: FeatureDigests): readonly string[] | null {
  const ids = Object.keys(today)
  const isOther = ids.some((id) => stored[id] !== undefined && stored[id] !== today[id])
  return isOther ? null : ids.filter((id) => stored[id] === undefined)
}

function canonicalFeature(view: MeaningfulView, feature: DigestedKey, index: number): unknown {
  const keys = view.entity.joinKeys.map(({ name, type }) => [name, type])
  switch (view.kind) {
    case 'PLAIN':
      return ['rows', keys, feature.type, canonicalTable(view.source, [...view.entity.joinKeys, feature])]
    case 'BATCH': {
      const { events, everyMicros, entity } = view
      const aggregation = view.aggregations[index]
      if (!aggregation) throw new TypeError(`feature ${feature.name} has no aggregation`)
      const { aggregate, field, windowMicros, hopMicros, where } = aggregation
      const conditions = where
        .map((one) => [one.field.name, one.field.type, one.value])
        .sort((left, right) => (JSON.stringify(left) < JSON.stringify(right) ? -1 : 1))
      const read = [
        ...entity.joinKeys.map(({ name }) => name),
        ...(field === null ? [] : [field.name]),
        ...where.map((one) => one.field.name),
      ]
      return [
        'windows',
        keys,
        [aggregate, field === null ? null : [field.name, field.type], windowMicros, hopMicros, conditions],
        everyMicros,
        canonicalEvents(events, new Set(read)),
      ]
    }
  }
}

function canonicalTable(
  source: PostgresSource | ParquetSource | null,
  read: readonly DigestedKey[],
): unknown {
  if (source === null) return null
  const columns = [
    source.eventTimestamp,
    source.createdTimestamp ?? null,
    source.rowId ?? null,
    read.map(({ name }) => source.columns[name] ?? name),
  ]
  switch (source.kind) {
    case 'postgres':
      return [source.table ?? null, source.query ?? null, ...columns]
    case 'parquet':
      return [source.format, source.path, ...columns, source.closing ?? null, source.timezone ?? null]
  }
}

function canonicalEvents(events: DigestedEvents, read: ReadonlySet<string>): unknown {
  const columns = events.fields
    .filter(({ name }) => read.has(name))
    .map(({ name, column }) => [name, column])
    .sort(([left = ''], [right = '']) => (left < right ? -1 : 1))
  return [
    events.table ?? [events.name, events.topic],
    events.eventTimestamp,
    events.createdTimestamp,
    events.eventId,
    columns,
  ]
}

/** Of a value as JSON has it. */
export function digestOf(canonical: unknown): string {
  return createHash('sha256').update(JSON.stringify(canonical)).digest('hex')
}
