import type { AggregateName } from '../../definitions/aggregation.ts'
import type { ScalarType, ValueType } from '../../definitions/value-type.ts'
import type { WindowedAggregation } from '../../definitions/windowed-aggregation.ts'
import type { AggregateDefinition } from './aggregate.ts'
import { countAggregate } from './count.ts'
import { countDistinctAggregate } from './count-distinct.ts'
import type { EventAggregate } from './event-aggregate.ts'
import { firstAggregate, lastAggregate } from './first-last.ts'
import { meanAggregate } from './mean.ts'
import { maxAggregate, minAggregate } from './min-max.ts'
import type { SpanAggregate } from './span-aggregate.ts'
import { sumAggregate } from './sum.ts'
import { stddevAggregate, varianceAggregate } from './variance.ts'

/** Every aggregate that a definition can name; a new one is a file here, a row below and its cells in Postgres. */
const aggregates: Readonly<Record<AggregateName, AggregateDefinition>> = {
  count: countAggregate,
  sum: sumAggregate,
  mean: meanAggregate,
  min: minAggregate,
  max: maxAggregate,
  variance: varianceAggregate,
  stddev: stddevAggregate,
  countDistinct: countDistinctAggregate,
  first: firstAggregate,
  last: lastAggregate,
}

type Aggregated = Pick<WindowedAggregation, 'aggregate' | 'field'>

/** Count takes no field; a type has to stand for it. */
function fieldType({ field }: Aggregated): ScalarType {
  return field?.type ?? 'int64'
}

export function eventAggregate(aggregation: Aggregated): EventAggregate {
  return aggregates[aggregation.aggregate].ofEvents(fieldType(aggregation))
}

/** `isSingle`: there is one span, so that Postgres counts different values. */
export function spanAggregate(aggregation: Aggregated, isSingle: boolean): SpanAggregate {
  return aggregates[aggregation.aggregate].ofSpans(fieldType(aggregation), isSingle)
}

/** The type of an aggregation's value; null where the aggregate does not take fields of the type. */
export function aggregatedType(aggregate: AggregateName, field: ScalarType | null): ValueType | null {
  if (field === null && aggregate !== 'count') return null
  return aggregates[aggregate].resultType(field ?? 'int64')
}

/** What a window without events answers: 0 for counts and sums, else null. */
export function emptyValue(aggregate: AggregateName): 0 | null {
  return aggregates[aggregate].emptyValue
}
