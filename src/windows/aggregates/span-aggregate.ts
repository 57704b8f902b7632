import { decimalOf, scaledOf } from '../../definitions/decimal.ts'
import type { ScalarValue, Value } from '../../definitions/value.ts'
import { decimalDigits, isDecimal, type ScalarType, type ValueType } from '../../definitions/value-type.ts'
import { type Mergeable, type SpanWindow, slideWindows } from '../sliding-window.ts'
import type { Aggregate, EventPlace } from './aggregate.ts'

/** An aggregation's value for one window, and how exact it is. */
export interface WindowValue {
  readonly value: ScalarValue | null
  /** The exact result, or what it came to, where no value of the type can hold it; the value is null then. */
  readonly overflow: string | null
  /** Another computation over the same events may differ by so much (design section 3.5). */
  readonly tolerance: number
}

/** What a span has of one aggregation, from its first cell on. */
export type Cells = readonly (Value | null)[]

/** The value of each window, by its position among them. */
type SlidWindows = (window: number) => WindowValue

/**
 * What is computed of the events of one span, by Postgres as cells or here event by event, and how windows are made of spans.
 * Spans are apart in time, so first and last need no places between them.
 */
export interface SpanAggregate {
  /** The types of the cells that a span has for it. */
  readonly cells: readonly ValueType[]
  /**
   * The value of each window, by its position in `windows`. `rows` are the spans' cells, in the order of `numbers`, of
   * which this aggregation's begin at `offset`.
   */
  readonly slide: (
    numbers: readonly number[],
    rows: readonly Cells[],
    offset: number,
    windows: readonly SpanWindow[],
  ) => SlidWindows
  /** The state of a span with one event more, which may be the one given. Of a float it depends on the order, to the last bits. */
  readonly add: (state: SpanState, value: ScalarValue, place: EventPlace) => SpanState
  /** As `slide`, of such states. */
  readonly slideStates: (
    numbers: readonly number[],
    states: readonly SpanState[],
    windows: readonly SpanWindow[],
  ) => SlidWindows
}

/** Undefined: of no event. What else only the aggregate knows whose it is. */
export type SpanState = unknown

/** What a span's states are; `add` may change the state that it is given. */
type SpanStates<State> = Mergeable<State> & Pick<Aggregate<State>, 'add'>

export function merged<State>(
  cells: readonly ValueType[],
  aggregate: SpanStates<State>,
  read: (cells: Cells, at: number) => State,
  finish: (state: State) => WindowValue,
): SpanAggregate {
  const { empty, add } = aggregate
  const slideStates: SpanAggregate['slideStates'] = (numbers, states, windows) => {
    const slid = slideWindows(aggregate, numbers, states as readonly (State | undefined)[], windows)
    return (window) => finish(slid[window] ?? empty())
  }
  return {
    cells,
    slide: (numbers, rows, offset, windows) =>
      slideStates(
        numbers,
        rows.map((row) => read(row, offset)),
        windows,
      ),
    add: (state, value, place) => add(state === undefined ? empty() : (state as State), value, place),
    slideStates,
  }
}

/** How a cell holds a field's value: a decimal is text with all of its digits, everything else as it is. */
export function valueCell(field: ScalarType): {
  readonly type: ValueType
  readonly read: (cells: Cells, at: number) => ScalarValue | null
} {
  if (!isDecimal(field))
    return { type: field, read: (cells, at) => (cells[at] ?? null) as ScalarValue | null }
  const digits = decimalDigits(field)
  return {
    type: 'string',
    read(cells, at) {
      const text = cells[at] ?? null
      return text === null ? null : decimalOf(scaledOf(String(text), digits), digits)
    },
  }
}

/** A cell of a float sum or count; 0 where it is null. */
export function numberAt(cells: Cells, at: number): number {
  return Number(cells[at] ?? 0)
}

export function exactly(value: ScalarValue | null): WindowValue {
  return { value, overflow: null, tolerance: 0 }
}

export function finite(value: number, tolerance: number): WindowValue {
  return Number.isFinite(value)
    ? { value, overflow: null, tolerance }
    : { value: null, overflow: String(value), tolerance: 0 }
}
