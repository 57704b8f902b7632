import type { AggregateName } from './aggregation.ts'
import type { Micros } from './timestamp.ts'
import type { ScalarValue } from './value.ts'
import type { ScalarType, ValueType } from './value-type.ts'

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

/** The type of an aggregation's value; null where the aggregate does not take fields of the type. */
export function aggregatedType(aggregate: AggregateName, field: ScalarType | null): ValueType | null {
  if (aggregate === 'count') return 'int64'
  if (field === null) return null
  const isInteger = field === 'int32' || field === 'int64'
  const isNumber = isInteger || field === 'float32' || field === 'float64'
  switch (aggregate) {
    case 'countDistinct':
      return 'int64'
    case 'first':
    case 'last':
      return field
    case 'min':
    case 'max':
      return isNumber || field === 'timestamp' ? field : null
    case 'sum':
      return isNumber ? (isInteger ? 'int64' : 'float64') : null
    case 'mean':
    case 'variance':
    case 'stddev':
      return isNumber ? 'float64' : null
  }
}

/** What a window without events answers: 0 for counts and sums, else null. */
export function emptyValue(aggregate: AggregateName): 0 | null {
  return aggregate === 'count' || aggregate === 'sum' || aggregate === 'countDistinct' ? 0 : null
}
