import type { ValueType } from '../definitions/value-type.ts'

/** A column of a view's own table that holds a feature's values. */
export interface FeatureColumn {
  readonly name: string
  readonly type: ValueType
}

export interface FeatureIdentity {
  /** The feature's first name. */
  readonly id: string
  /**
   * The column that is written, then those that hold the values of older rows: a widened feature is written to a column of
   * its wider type, and a row's value is that of the first of them that is not null.
   */
  readonly columns: readonly FeatureColumn[]
}

export interface ViewIdentity {
  /** The view's first name. */
  readonly id: string
  /** By the features' names. */
  readonly features: Readonly<Record<string, FeatureIdentity>>
}

/**
 * By which names stored rows know what the definitions name today. A rename keeps them; what is not listed was never called
 * otherwise, and its values stand in a column of its name and type.
 */
export interface Identities {
  /** Name → id. */
  readonly entities: Readonly<Record<string, string>>
  readonly views: Readonly<Record<string, ViewIdentity>>
}

/** Of definitions that were never applied. */
export const firstIdentities: Identities = { entities: {}, views: {} }

/** As `Object.hasOwn`, since a name may be one that objects have. */
export function ownOf<Value>(record: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined
}
