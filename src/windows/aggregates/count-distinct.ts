import type { ScalarValue } from '../../definitions/value.ts'
import { isDecimal, type ScalarType, type ValueType } from '../../definitions/value-type.ts'
import { slideDistinct } from '../sliding-window.ts'
import { type Aggregate, type AggregateDefinition, exactResult } from './aggregate.ts'
import { countSpans } from './count.ts'
import { coded } from './event-aggregate.ts'
import { exactly, type SpanAggregate } from './span-aggregate.ts'

/** Exact: the values themselves. */
export const countDistinct: Aggregate<Set<string>> = {
  empty: () => new Set(),
  add: (state, value) => (value === null ? state : state.add(distinctKey(value))),
  merge: (left, right) => new Set([...left, ...right]),
  finalise: (state) => exactResult(state.size),
}

/** Two values are the same if their keys are. */
function distinctKey(value: ScalarValue): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : String(value)
}

/** A list of the field's type; of one that has no lists, of the values' text. */
function distinctCell(type: ScalarType): ValueType {
  return isDecimal(type) || type === 'uuid' ? 'string[]' : `${type}[]`
}

/** One cell: the span's different values. */
function distinctSpans(type: ScalarType): SpanAggregate {
  return {
    cells: [distinctCell(type)],
    slide(numbers, rows, offset, windows) {
      const values = rows.map((row) => ((row[offset] ?? []) as readonly ScalarValue[]).map(distinctKey))
      const slid = slideDistinct(numbers, values, windows)
      return (window) => exactly(slid[window] ?? 0)
    },
    add: (state, value, place) =>
      countDistinct.add((state ?? countDistinct.empty()) as Set<string>, value, place),
    slideStates(numbers, states, windows) {
      const values = states.map((state) => (state ?? []) as Iterable<string>)
      const slid = slideDistinct(numbers, values, windows)
      return (window) => exactly(slid[window] ?? 0)
    },
  }
}

export const countDistinctAggregate: AggregateDefinition = {
  resultType: () => 'int64',
  emptyValue: 0,
  ofEvents: () =>
    coded(countDistinct, {
      write(out, state) {
        out.count(state.size)
        for (const key of state) out.text(key)
      },
      read(input) {
        const keys = new Set<string>()
        for (let left = input.count(); left > 0; left -= 1) keys.add(input.text())
        return keys
      },
    }),
  ofSpans: (field, isSingle) => (isSingle ? countSpans : distinctSpans(field)),
}
