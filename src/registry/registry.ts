import type { FileSource, PostgresSource } from '../definitions/data-source.ts'
import type { ExpectationAction } from '../definitions/expectation.ts'
import type { FeatureDigests } from '../definitions/feature-digest.ts'
import type { ParquetSource } from '../definitions/parquet-source.ts'
import type { SourceReading } from '../definitions/source-reading.ts'
import type { Micros } from '../definitions/timestamp.ts'
import type { ScalarValue, Value } from '../definitions/value.ts'
import type { JoinKeyType, ScalarType, ValueType } from '../definitions/value-type.ts'
import type { WindowedAggregation } from '../definitions/windowed-aggregation.ts'
import type { FeatureColumn } from './identities.ts'

export interface Tag {
  readonly key: string
  readonly value: string
}

export interface Documented {
  readonly name: string
  readonly description: string | null
  readonly owner: string | null
  readonly tags: readonly Tag[]
}

export interface Shown extends Documented {
  /** The field's name; types are `typeName`. */
  readonly graphqlName: string
  readonly typeName: string
}

export interface JoinKey {
  readonly name: string
  readonly graphqlName: string
  readonly type: JoinKeyType
}

export interface Entity extends Shown {
  readonly kind: 'entity'
  /** Its first name: what is stored of it is found by this. */
  readonly id: string
  /** The list field's name: `customers`. */
  readonly pluralName: string
  readonly joinKeys: readonly JoinKey[]
  readonly views: readonly FeatureView[]
  readonly onDemandViews: readonly OnDemandView[]
}

/** What a feature's values should be; absent rules are null. */
export interface Expectation {
  readonly min: number | null
  readonly max: number | null
  readonly notNull: boolean
  readonly oneOf: readonly (string | number | boolean)[] | null
  readonly maxAgeMicros: Micros | null
  readonly action: ExpectationAction
}

export interface Feature {
  readonly name: string
  /** Its first name: stored rows and their layouts know it by this. */
  readonly id: string
  /** Of the view's own table: where its values stand, the column that is written first; `identities.ts`. */
  readonly columns: readonly FeatureColumn[]
  readonly graphqlName: string
  readonly type: ValueType
  readonly description: string | null
  readonly unit: string | null
  /** For a service's vector; null is 0 unless the service says otherwise. */
  readonly default: number | null
  readonly deprecated: string | null
  readonly expectation: Expectation | null
}

/** How many rows a snapshot, or a file of rows, should have. */
export interface RowCountExpectation {
  readonly min: number | null
  readonly max: number | null
  readonly action: ExpectationAction
}

/** Cron expressions in UTC; null runs by the worker's default. */
export interface Schedule {
  readonly batch: string | null
  readonly materialize: string | null
}

interface AnyFeatureView extends Shown {
  /** Its first name: its table, its online keys and all that is recorded of it are found by this. */
  readonly id: string
  readonly entity: Entity
  readonly ttlMicros: Micros | null
  readonly online: boolean
  readonly features: readonly Feature[]
  /** What is answered for a key without a row, in the features' order: nulls, or the values of empty windows. */
  readonly emptyValues: readonly (Value | null)[]
  readonly rowCount: RowCountExpectation | null
  readonly schedule: Schedule
}

/** What stored rows of a view mean. */
interface DigestedView {
  readonly digests: FeatureDigests
  /** Of all the digests. */
  readonly definition: string
}

/** Rows come from outside: pushed, imported, or standing in Postgres or in Parquet files. */
export interface PlainView extends AnyFeatureView, DigestedView {
  readonly kind: 'PLAIN'
  /** Null: the gateway's own table. */
  readonly source: PostgresSource | ParquetSource | null
  /** What `import` fills the gateway's own table from. */
  readonly files: FileSource | null
}

/** Snapshots of windows over events, at the multiples of `everyMicros` from the epoch, in the gateway's own table. */
export interface BatchView extends AnyFeatureView, DigestedView {
  readonly kind: 'BATCH'
  readonly source: null
  readonly files: null
  readonly events: EventSource
  readonly everyMicros: Micros
  /** In the features' order. */
  readonly aggregations: readonly WindowedAggregation[]
}

/** Windows over events at any moment: online from tiles, as of a past time from the stored events. It has no table. */
export interface StreamView extends AnyFeatureView {
  readonly kind: 'STREAM'
  readonly source: null
  readonly files: null
  readonly events: EventSource
  /** In the features' order. */
  readonly aggregations: readonly WindowedAggregation[]
}

/** A view whose rows stand in a table, its own or a mapped one. */
export type StoredView = PlainView | BatchView
export type FeatureView = StoredView | StreamView

/** What a function is given under `name`: a feature of the entity, or a value that the caller sends. */
export type OnDemandInput =
  | { readonly kind: 'feature'; readonly name: string; readonly view: FeatureView; readonly feature: Feature }
  | { readonly kind: 'request'; readonly name: string; readonly request: RequestValue }

/** Features that a function computes when they are asked for. Nothing of it is stored: it is none of the registry's `views`. */
export interface OnDemandView extends Shown {
  readonly kind: 'ON_DEMAND'
  readonly entity: Entity
  /** In their declared order, each name once. */
  readonly inputs: readonly OnDemandInput[]
  readonly features: readonly Feature[]
  /** Of the module that its function stands in: what the function is found by. */
  readonly module: string
  /** Of the function's text as this program loaded it; it says how a module has changed, and is no part of any digest. */
  readonly functionText: string
}

export interface EventField {
  readonly name: string
  readonly type: ScalarType
  /** What it is called in files, messages or the mapped table. */
  readonly column: string
  readonly description: string | null
  /** Taken where an event lacks the field or has null. */
  readonly default: ScalarValue | null
  readonly expectation: Expectation | null
}

export interface EventSource extends Documented {
  readonly kind: 'event-source'
  readonly topic: string | null
  /** An existing table instead of the gateway's own; never written. */
  readonly table: string | null
  /** What the times and the event's own id are called in files, messages or the mapped table. */
  readonly eventTimestamp: string
  readonly createdTimestamp: string | null
  /** Of a file's event whose created timestamp is null: known from its import on; null: from when it happened. */
  readonly nullCreated: 'arrival' | null
  readonly eventId: string | null
  /** Of times without an offset. */
  readonly timezone: string | null
  /** How files and messages write values. */
  readonly reading: SourceReading
  /** Months of stored events that are older are dropped; null: kept for ever. */
  readonly retentionMicros: Micros | null
  readonly fields: readonly EventField[]
  /** The fields that are join keys of a view over this source: an event without one of them is not kept. */
  readonly keyFields: readonly EventField[]
  /** The join keys of streaming views over this source, in their order. */
  readonly indexedKeys: readonly (readonly string[])[]
}

export interface ServedFeature {
  readonly kind: 'feature'
  readonly name: string
  readonly graphqlName: string
  readonly type: ValueType
  readonly default: number
  readonly view: FeatureView
  readonly feature: Feature
  /** The name of one of the service's roles; null: the entity by its own join keys. */
  readonly role: string | null
}

/** A feature of an on-demand view. */
export interface ComputedFeature {
  readonly kind: 'on-demand'
  readonly name: string
  readonly graphqlName: string
  readonly type: ValueType
  readonly default: number
  readonly view: OnDemandView
  readonly feature: Feature
}

export interface RequestValue {
  readonly kind: 'request'
  readonly name: string
  readonly graphqlName: string
  readonly type: ValueType
  readonly description: string | null
  /** In the vector where the caller sends null. */
  readonly default: number
  /** A request value with a declared default may be left out. */
  readonly optional: boolean
}

export type VectorEntry = ServedFeature | ComputedFeature | RequestValue

/** One entity under another name, where a service takes from it more than once: as payer and as payee. */
export interface ServiceRole {
  readonly name: string
  /** Every join key of the entities that stand in it, with what the service calls it. */
  readonly keys: readonly { readonly joinKey: string; readonly name: string }[]
}

export interface FeatureService extends Shown {
  readonly kind: 'feature-service'
  /** In the vector's order. */
  readonly vector: readonly VectorEntry[]
  /** Every distinct join key of the service's entities, of those in roles too, in the order of first use. */
  readonly joinKeys: readonly JoinKey[]
  readonly entities: readonly Entity[]
  readonly roles: readonly ServiceRole[]
  /** Those of the vector, then those that its on-demand views take besides. */
  readonly requests: readonly RequestValue[]
}

/** All definitions, checked against each other and frozen; ordered by file, then by the name of the export. */
export interface Registry {
  readonly entities: readonly Entity[]
  readonly eventSources: readonly EventSource[]
  readonly views: readonly FeatureView[]
  readonly onDemandViews: readonly OnDemandView[]
  readonly services: readonly FeatureService[]
}
