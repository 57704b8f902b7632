import type { PostgresSource } from '../definitions/data-source.ts'
import type { ExpectationAction } from '../definitions/expectation.ts'
import type { Micros } from '../definitions/timestamp.ts'
import type { JoinKeyType, ValueType } from '../definitions/value-type.ts'

export interface Tag {
  readonly key: string
  readonly value: string
}

interface Documented {
  readonly name: string
  /** The field's name; types are `typeName`. */
  readonly graphqlName: string
  readonly typeName: string
  readonly description: string | null
  readonly owner: string | null
  readonly tags: readonly Tag[]
}

export interface JoinKey {
  readonly name: string
  readonly graphqlName: string
  readonly type: JoinKeyType
}

export interface Entity extends Documented {
  readonly kind: 'entity'
  /** The list field's name: `customers`. */
  readonly pluralName: string
  readonly joinKeys: readonly JoinKey[]
  readonly views: readonly FeatureView[]
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
  readonly graphqlName: string
  readonly type: ValueType
  readonly description: string | null
  readonly unit: string | null
  /** For a service's vector; null is 0 unless the service says otherwise. */
  readonly default: number | null
  readonly deprecated: string | null
  readonly expectation: Expectation | null
}

export interface FeatureView extends Documented {
  readonly kind: 'PLAIN'
  readonly entity: Entity
  /** Null: the gateway's own table. */
  readonly source: PostgresSource | null
  readonly ttlMicros: Micros | null
  readonly online: boolean
  readonly features: readonly Feature[]
}

export interface ServedFeature {
  readonly kind: 'feature'
  readonly name: string
  readonly graphqlName: string
  readonly type: ValueType
  readonly default: number
  readonly view: FeatureView
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

export type VectorEntry = ServedFeature | RequestValue

export interface FeatureService extends Documented {
  readonly kind: 'feature-service'
  /** In the vector's order. */
  readonly vector: readonly VectorEntry[]
  /** Every distinct join key of the service's entities, in the order of first use. */
  readonly joinKeys: readonly JoinKey[]
  readonly entities: readonly Entity[]
  readonly requests: readonly RequestValue[]
}

/** All definitions, checked against each other and frozen; ordered by file, then by the name of the export. */
export interface Registry {
  readonly entities: readonly Entity[]
  readonly views: readonly FeatureView[]
  readonly services: readonly FeatureService[]
}
