import type { Micros } from '../definitions/timestamp.ts'
import type { ScalarValue } from '../definitions/value.ts'
import type { WindowedAggregation } from '../definitions/windowed-aggregation.ts'
import type { EventPlace } from './aggregates/aggregate.ts'
import { spanAggregate } from './aggregates/aggregates.ts'
import type { SpanState } from './aggregates/span-aggregate.ts'
import { windowStart } from './hop.ts'
import { type Mergeable, type SpanWindow, slideWindows } from './sliding-window.ts'
import { distinctLengths, isOfLength } from './window-lengths.ts'

/** Moments of one key whose windows overlap, so that one reading of the events between the bounds answers all of them. */
export interface Sweep {
  /** Places of the moments, in ascending order of time. */
  readonly rows: readonly number[]
  /** Where the earliest of their windows begins. */
  readonly first: Micros
  /** The last of the moments, which no window holds. */
  readonly until: Micros
}

/** An event of a sweep's key. */
export interface SweptEvent {
  /** Its timestamp is the time that it counts at, which is within the sweep's bounds. */
  readonly place: EventPlace
  readonly storedAt: Micros
  /** Per aggregation the value that it takes of it; null: none, or its conditions do not hold. */
  readonly values: readonly (ScalarValue | null)[]
}

/** Events of a span: the newest time that one counts at, and the latest moment that one was stored at. */
interface SweptSpan {
  /** That of the bound which it begins at. */
  readonly number: number
  newest: Micros
  storedAt: Micros
  /** Of all aggregations. */
  readonly states: SpanState[]
}

/** A sweep whose events are added one by one. */
export interface SweptSpans {
  /** Its moments, ascending. */
  readonly times: readonly Micros[]
  /** Ascending: where any window of any moment begins, and the moments themselves. Spans lie between them. */
  readonly bounds: readonly Micros[]
  /** So far, in ascending order, without those that have no event. */
  readonly spans: SweptSpan[]
}

/** What the windows at a moment hold. */
interface SweptRow {
  readonly eventTimestamp: Micros
  readonly createdTimestamp: Micros
  readonly values: readonly (ScalarValue | null)[]
}

export interface WindowSweeper {
  /** The beginning of the window that reaches furthest back. */
  readonly earliestStart: (t: Micros) => Micros
  /**
   * The moments of one key, which stand at some places of `times` in any order, as sweeps that share no event: together they
   * read every event of a window once and no other, so the cost is that of moments and events, never their product.
   */
  readonly plan: (times: ArrayLike<Micros>, places: readonly number[]) => readonly Sweep[]
  /** Of a sweep's moments, in their order. */
  readonly spans: (times: readonly Micros[]) => SweptSpans
  /** An event more of a sweep. Floats are added in the order that events come in. */
  readonly add: (part: SweptSpans, event: SweptEvent) => void
  /**
   * The answers of the sweeps' rows, one sweep after the other, each in its order; null where no window holds an event. Each
   * span's state is merged about twice, however many windows hold it (`slideWindows`). Many at once cost less: most are small.
   */
  readonly answer: (parts: readonly SweptSpans[]) => readonly (SweptRow | null)[]
}

export function windowSweeper(aggregations: readonly WindowedAggregation[]): WindowSweeper {
  const lengths = distinctLengths(aggregations)
  const members = aggregations.map((aggregation) => ({
    span: spanAggregate(aggregation, false),
    length: lengths.findIndex((length) => isOfLength(aggregation, length)),
  }))

  function earliestStart(t: Micros): Micros {
    let earliest = t
    for (const { windowMicros, hopMicros } of lengths)
      earliest = Math.min(earliest, windowStart(t, windowMicros, hopMicros))
    return earliest
  }

  function boundsOf(times: readonly Micros[]): readonly Micros[] {
    const bounds: Micros[] = []
    for (const t of times) {
      for (const { windowMicros, hopMicros } of lengths) bounds.push(windowStart(t, windowMicros, hopMicros))
      bounds.push(t)
    }
    if (bounds.length === 2) return bounds
    bounds.sort((left, right) => left - right)
    let count = 0
    for (const bound of bounds) {
      if (count > 0 && bound === bounds[count - 1]) continue
      bounds[count] = bound
      count += 1
    }
    bounds.length = count
    return bounds
  }

  /** Events come nearly in the order of their times. */
  function spanAt({ bounds, spans }: SweptSpans, at: Micros): SweptSpan {
    let index = spans.length - 1
    while (index >= 0 && at < (bounds[spans[index]?.number ?? 0] ?? at)) index -= 1
    const before = spans[index]
    if (before && at < (bounds[before.number + 1] ?? at)) return before
    const states = new Array<SpanState>(members.length).fill(undefined)
    const span = { number: lastUpTo(bounds, at), newest: at, storedAt: Number.NEGATIVE_INFINITY, states }
    spans.splice(index + 1, 0, span)
    return span
  }

  /** Starts never go back from row to row, nor from sweep to sweep: the bounds of each are numbered behind those before. */
  function windowsFrom(parts: readonly SweptSpans[], startAt: (t: Micros) => Micros): readonly SpanWindow[] {
    const windows: SpanWindow[] = []
    let base = 0
    for (const { times, bounds } of parts) {
      let [from, to] = [0, 0]
      for (const t of times) {
        const start = startAt(t)
        while ((bounds[from] ?? start) < start) from += 1
        while ((bounds[to] ?? t) < t) to += 1
        windows.push({ from: base + from, to: base + to })
      }
      base += bounds.length
    }
    return windows
  }

  return {
    earliestStart,
    plan(times, places) {
      if (places.length === 1) {
        const t = times[places[0] ?? 0] ?? 0
        return [{ rows: places, first: earliestStart(t), until: t }]
      }
      const sweeps: Sweep[] = []
      let rows: number[] = []
      let [first, until] = [0, Number.NEGATIVE_INFINITY]
      for (const place of places.toSorted((left, right) => (times[left] ?? 0) - (times[right] ?? 0))) {
        const t = times[place] ?? 0
        const start = earliestStart(t)
        if (start >= until) {
          if (rows.length > 0) sweeps.push({ rows, first, until })
          rows = []
          first = start
        }
        rows.push(place)
        until = t
      }
      if (rows.length > 0) sweeps.push({ rows, first, until })
      return sweeps
    },
    spans: (times) => ({ times, bounds: boundsOf(times), spans: [] }),
    add(part, { place, storedAt, values }) {
      const span = spanAt(part, place.timestamp)
      if (place.timestamp > span.newest) span.newest = place.timestamp
      if (storedAt > span.storedAt) span.storedAt = storedAt
      const { states } = span
      for (let member = 0; member < members.length; member += 1) {
        const value = values[member] ?? null
        if (value !== null) states[member] = members[member]?.span.add(states[member], value, place)
      }
    },
    answer(parts) {
      const numbers: number[] = []
      const spans: SweptSpan[] = []
      let base = 0
      for (const { bounds, spans: own } of parts) {
        for (const span of own) {
          numbers.push(base + span.number)
          spans.push(span)
        }
        base += bounds.length
      }
      const windows = lengths.map(({ windowMicros, hopMicros }) =>
        windowsFrom(parts, (t) => windowStart(t, windowMicros, hopMicros)),
      )
      const [only, ...others] = windows
      const all = only && others.length === 0 ? only : windowsFrom(parts, earliestStart)
      const slid = members.map(({ span, length }, member) =>
        span.slideStates(
          numbers,
          spans.map(({ states }) => states[member]),
          windows[length] ?? [],
        ),
      )
      return slideWindows(newestEvent, numbers, spans, all).map(
        (found, row) =>
          found && {
            eventTimestamp: found.newest,
            createdTimestamp: found.storedAt,
            values: slid.map((ofWindow) => ofWindow(row).value),
          },
      )
    },
  }
}

/** The place of the last bound up to a moment. */
function lastUpTo(bounds: readonly Micros[], at: Micros): number {
  let [low, high] = [0, bounds.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((bounds[middle] ?? at) <= at) low = middle + 1
    else high = middle
  }
  return low - 1
}

const newestEvent: Mergeable<Pick<SweptSpan, 'newest' | 'storedAt'> | null> = {
  empty: () => null,
  merge(left, right) {
    if (left === null || right === null) return left ?? right
    return {
      newest: Math.max(left.newest, right.newest),
      storedAt: Math.max(left.storedAt, right.storedAt),
    }
  },
}
