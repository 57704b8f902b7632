import type { AggregateName } from './aggregation.ts'
import type { Micros } from './timestamp.ts'
import type { ScalarValue } from './value.ts'
import type { ScalarType } from './value-type.ts'

/** A field of an event by its name in the source, whatever it is called in files, messages or a mapped table. */
interface AggregatedField {
  readonly name: string
  readonly type: ScalarType
}

/** Events count whose field equals the value; null matches only null. */
interface EventCondition {
  readonly field: AggregatedField
  readonly value: ScalarValue | null
}

/** One windowed feature with everything resolved: which events, which of their fields, how they become a value. */
export interface WindowedAggregation {
  readonly aggregate: AggregateName
  /** Null for count only. */
  readonly field: AggregatedField | null
  readonly windowMicros: Micros
  readonly hopMicros: Micros
  /** All must hold. */
  readonly where: readonly EventCondition[]
}
