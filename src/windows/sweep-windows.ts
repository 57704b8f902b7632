import type { Micros } from '../definitions/timestamp.ts'
import type { ScalarValue } from '../definitions/value.ts'
import type { ValueType } from '../definitions/value-type.ts'
import type { WindowedAggregation } from '../definitions/windowed-aggregation.ts'
import { spanAggregate } from './aggregates/aggregates.ts'
import type { Cells } from './aggregates/span-aggregate.ts'
import { windowStart } from './hop.ts'
import { type Mergeable, type SpanWindow, slideWindows } from './sliding-window.ts'
import { distinctLengths, isOfLength } from './window-lengths.ts'

/** Moments of one key whose windows overlap, so that one reading of the events between the bounds answers all of them. */
export interface Sweep {
  /** Places of the moments, in ascending order of time. */
  readonly rows: readonly number[]
  /** Ascending: where any window of any moment begins, and the moments themselves. Spans lie between them. */
  readonly bounds: readonly Micros[]
}

/** Events of a span: the newest time that one counts at, and the latest moment that one was stored at. */
export interface SweptSpan {
  /** That of the bound which it begins at. */
  readonly number: number
  readonly newest: Micros
  readonly storedAt: Micros
  /** As `spanAggregate` reads them, of all aggregations. */
  readonly cells: Cells
}

/** What the windows at a moment hold. */
interface SweptRow {
  readonly eventTimestamp: Micros
  readonly createdTimestamp: Micros
  readonly values: readonly (ScalarValue | null)[]
}

export interface WindowSweeper {
  /** The types of a span's cells. */
  readonly cells: readonly ValueType[]
  /** The beginning of the window that reaches furthest back. */
  readonly earliestStart: (t: Micros) => Micros
  /**
   * The moments of one key, in any order, as sweeps that share no event: together they read every event of a window once and
   * no other, so the cost is that of moments and events, never their product.
   */
  readonly plan: (times: readonly Micros[]) => readonly Sweep[]
  /**
   * The answers of the sweeps' rows, one sweep after the other, each in its order; null where no window holds an event. Each
   * span's state is merged about twice, however many windows hold it (`slideWindows`). Many at once cost less: most are small.
   */
  readonly answer: (parts: readonly SweptPart[]) => readonly (SweptRow | null)[]
}

interface SweptPart {
  readonly sweep: Sweep
  /** Of its places. */
  readonly times: readonly Micros[]
  /** In ascending order, without those that have no event. */
  readonly spans: readonly SweptSpan[]
}

export function windowSweeper(aggregations: readonly WindowedAggregation[]): WindowSweeper {
  const lengths = distinctLengths(aggregations)
  let cellCount = 0
  const members = aggregations.map((aggregation) => {
    const span = spanAggregate(aggregation, false)
    const offset = cellCount
    cellCount += span.cells.length
    return { span, offset, length: lengths.findIndex((length) => isOfLength(aggregation, length)) }
  })

  function earliestStart(t: Micros): Micros {
    let earliest = t
    for (const { windowMicros, hopMicros } of lengths)
      earliest = Math.min(earliest, windowStart(t, windowMicros, hopMicros))
    return earliest
  }

  function sweepOf(times: readonly Micros[], rows: readonly number[]): Sweep {
    const all: Micros[] = []
    for (const place of rows) {
      const t = times[place] ?? 0
      all.push(t)
      for (const { windowMicros, hopMicros } of lengths) all.push(windowStart(t, windowMicros, hopMicros))
    }
    all.sort((left, right) => left - right)
    let count = 0
    for (const bound of all) {
      if (count > 0 && bound === all[count - 1]) continue
      all[count] = bound
      count += 1
    }
    all.length = count
    return { rows, bounds: all }
  }

  /** Starts never go back from row to row, nor from sweep to sweep: the bounds of each are numbered behind those before. */
  function windowsFrom(parts: readonly SweptPart[], startAt: (t: Micros) => Micros): readonly SpanWindow[] {
    const windows: SpanWindow[] = []
    let base = 0
    for (const { sweep, times } of parts) {
      const { rows, bounds } = sweep
      let [from, to] = [0, 0]
      for (const place of rows) {
        const t = times[place] ?? 0
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
    cells: members.flatMap(({ span }) => span.cells),
    earliestStart,
    plan(times) {
      if (times.length === 1) return [sweepOf(times, onlyRow)]
      const places = times.map((_, place) => place)
      places.sort((left, right) => (times[left] ?? 0) - (times[right] ?? 0))
      const sweeps: Sweep[] = []
      let rows: number[] = []
      let until = Number.NEGATIVE_INFINITY
      for (const place of places) {
        const t = times[place] ?? 0
        if (rows.length > 0 && earliestStart(t) >= until) {
          sweeps.push(sweepOf(times, rows))
          rows = []
        }
        rows.push(place)
        until = t
      }
      if (rows.length > 0) sweeps.push(sweepOf(times, rows))
      return sweeps
    },
    answer(parts) {
      const numbers: number[] = []
      const spans: SweptSpan[] = []
      let base = 0
      for (const { sweep, spans: own } of parts) {
        for (const span of own) {
          numbers.push(base + span.number)
          spans.push(span)
        }
        base += sweep.bounds.length
      }
      const rows = spans.map(({ cells }) => cells)
      const windows = lengths.map(({ windowMicros, hopMicros }) =>
        windowsFrom(parts, (t) => windowStart(t, windowMicros, hopMicros)),
      )
      const slid = members.map(({ span, offset, length }) =>
        span.slide(numbers, rows, offset, windows[length] ?? []),
      )
      const all = windowsFrom(parts, earliestStart)
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

const onlyRow: readonly number[] = [0]

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
