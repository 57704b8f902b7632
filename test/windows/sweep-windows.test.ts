import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AggregateName } from '../../src/definitions/aggregation.ts'
import type { Micros } from '../../src/definitions/timestamp.ts'
import type { WindowedAggregation } from '../../src/definitions/windowed-aggregation.ts'
import { type Sweep, windowSweeper } from '../../src/windows/sweep-windows.ts'
import type { TestEvent } from '../oracle/store-events.ts'
import { isPresent, windowValue } from '../oracle/window-oracle.ts'

const n = { name: 'n', type: 'int64' } as const

function over(
  aggregate: AggregateName,
  windowMicros: Micros,
  hopMicros: Micros,
  only?: number,
): WindowedAggregation {
  const where = only === undefined ? [] : [{ field: { name: 'kind', type: 'int64' as const }, value: only }]
  return { aggregate, field: aggregate === 'count' ? null : n, windowMicros, hopMicros, where }
}

/** Windows that end inside each other's hops; the longest is not the one that reaches furthest. */
const aggregations: readonly WindowedAggregation[] = [
  over('count', 12, 1),
  over('count', 50, 7, 1),
  over('sum', 50, 7),
  over('min', 12, 1),
  over('max', 48, 40),
  over('countDistinct', 50, 7),
  over('first', 12, 4, 0),
  over('last', 50, 7),
]
const sweeper = windowSweeper(aggregations)
const planned = (times: readonly Micros[]) => sweeper.plan(times, [...times.keys()])

/** The sweep with those of the events that lie between its bounds, in the order given. */
function sweptBy({ rows, first, until }: Sweep, times: readonly Micros[], events: readonly TestEvent[]) {
  const swept = sweeper.spans(rows.map((place) => times[place] ?? 0))
  for (const [offset, { at, fields }] of events.entries()) {
    if (at < first || at >= until) continue
    const values = aggregations.map(({ field, where }) => {
      if (!where.every((one) => fields[one.field.name] === one.value)) return null
      return field === null ? true : (fields[field.name] ?? null)
    })
    sweeper.add(swept, {
      place: { timestamp: at, topic: '', partition: 0, offset },
      ...{ storedAt: Number(fields['stored']), values },
    })
  }
  return swept
}

const arbitraryEvents = fc
  .array(
    fc.record({
      at: fc.integer({ min: -200, max: 200 }),
      fields: fc.record({
        n: fc.option(fc.integer({ min: -3, max: 3 })),
        kind: fc.option(fc.constantFrom(0, 1)),
        stored: fc.integer({ min: 0, max: 9 }),
      }),
    }),
    { maxLength: 60, size: 'max' },
  )
  .map((events): readonly TestEvent[] => [...events].sort((left, right) => left.at - right.at))
const arbitraryTimes = fc.array(fc.integer({ min: -250, max: 300 }), {
  minLength: 1,
  maxLength: 30,
  size: 'max',
})

describe('a sweep over the events of a key', () => {
  it('answers the window function at moments in any order, also twice the same, and null where no window holds an event', () => {
    let present = 0
    fc.assert(
      fc.property(arbitraryEvents, arbitraryTimes, fc.boolean(), (events, times, isTogether) => {
        const answers = new Map<number, unknown>()
        const sweeps = planned(times)
        const parts = sweeps.map((sweep) => sweptBy(sweep, times, events))
        // Together, or each alone.
        const found = isTogether ? sweeper.answer(parts) : parts.flatMap((part) => sweeper.answer([part]))
        expect(found).toHaveLength(times.length)
        sweeps.flatMap(({ rows }) => rows).forEach((place, index) => void answers.set(place, found[index]))
        times.forEach((t, place) => {
          const reach = events.filter(({ at }) => at >= sweeper.earliestStart(t) && at < t)
          const isThere = isPresent(aggregations, events, t)
          if (isThere) present += 1
          expect(answers.get(place)).toEqual(
            isThere
              ? {
                  eventTimestamp: Math.max(...reach.map(({ at }) => at)),
                  createdTimestamp: Math.max(...reach.map(({ fields }) => Number(fields['stored']))),
                  values: aggregations.map((aggregation) => windowValue(aggregation, events, t)),
                }
              : null,
          )
        })
      }),
      { numRuns: 100 },
    )
    expect(present).toBeGreaterThan(300)
  })

  it('reads the events of all windows once and no others, by bounds that are few to each moment', () => {
    fc.assert(
      fc.property(arbitraryTimes, (times) => {
        const sweeps = planned(times)
        const covered = new Set<number>()
        for (const { rows, first, until } of sweeps) {
          const { bounds } = sweeper.spans(rows.map((place) => times[place] ?? 0))
          expect([bounds[0], bounds.at(-1)]).toEqual([first, until])
          for (let at = first; at < until; at += 1) {
            expect(covered.has(at)).toBe(false)
            covered.add(at)
          }
          // A moment, and the beginning of a window of each length and hop.
          expect(bounds.length).toBeLessThanOrEqual(5 * rows.length)
          expect([...bounds].sort((left, right) => left - right)).toEqual(bounds)
          expect(new Set(bounds).size).toBe(bounds.length)
        }
        const needed = new Set(
          times.flatMap((t) =>
            Array.from({ length: t - sweeper.earliestStart(t) }, (_, back) => t - 1 - back),
          ),
        )
        expect([...covered].sort()).toEqual([...needed].sort())
        expect(sweeps.flatMap(({ rows }) => rows).sort()).toEqual(times.map((_, place) => place).sort())
      }),
      { numRuns: 25 },
    )
  })
})
