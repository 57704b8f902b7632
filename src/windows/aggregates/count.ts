import { type Aggregate, type AggregateDefinition, exactResult } from './aggregate.ts'
import { coded } from './event-aggregate.ts'
import { exactly, merged, numberAt } from './span-aggregate.ts'

/** Counts events, whatever their values. */
export const count: Aggregate<number> = {
  empty: () => 0,
  add: (state) => state + 1,
  merge: (left, right) => left + right,
  finalise: exactResult,
}

/** One cell: the count. */
export const countSpans = merged(['int64'], count, numberAt, exactly)

export const countAggregate: AggregateDefinition = {
  resultType: () => 'int64',
  emptyValue: 0,
  ofEvents: () => coded(count, { write: (out, state) => out.count(state), read: (input) => input.count() }),
  ofSpans: () => countSpans,
}
