import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ScalarValue } from '../../src/definitions/value.ts'
import type { Aggregate, EventPlace } from '../../src/windows/aggregates/aggregate.ts'
import { count } from '../../src/windows/aggregates/count.ts'
import { countDistinct } from '../../src/windows/aggregates/count-distinct.ts'
import { compareEventPlaces, first, last } from '../../src/windows/aggregates/first-last.ts'
import { mean } from '../../src/windows/aggregates/mean.ts'
import { max, min } from '../../src/windows/aggregates/min-max.ts'
import { floatSum, integerSum } from '../../src/windows/aggregates/sum.ts'
import { stddev, variance } from '../../src/windows/aggregates/variance.ts'

interface Event {
  readonly place: EventPlace
  readonly value: ScalarValue | null
}

/** Adds every event to one of several parts and merges the parts in the order of a random tree. */
function foldInParts<State>(
  aggregate: Aggregate<State>,
  events: readonly Event[],
  parts: number,
  picks: readonly number[],
) {
  const states = Array.from({ length: parts }, () => aggregate.empty())
  events.forEach(({ value, place }, index) => {
    const part = (picks[index] ?? index) % parts
    states[part] = aggregate.add(states[part] ?? aggregate.empty(), value, place)
  })
  for (let step = 0; states.length > 1; step += 1) {
    const at = (picks[step] ?? 0) % (states.length - 1)
    const [left, right] = states.splice(at, 2)
    states.splice(at, 0, aggregate.merge(left ?? aggregate.empty(), right ?? aggregate.empty()))
  }
  return aggregate.finalise(states[0] ?? aggregate.empty())
}

function events(values: fc.Arbitrary<ScalarValue | null>): fc.Arbitrary<readonly Event[]> {
  const place = fc.record({
    timestamp: fc.integer({ min: 0, max: 5 }),
    topic: fc.constantFrom('a', 'b', 'ab'),
    partition: fc.integer({ min: 0, max: 2 }),
  })
  // Offsets are unique, as those of a partition are.
  return fc
    .array(fc.tuple(place, values), { maxLength: 40 })
    .map((list) => list.map(([at, value], offset) => ({ place: { ...at, offset }, value })))
}

const grouping = fc.tuple(
  fc.integer({ min: 1, max: 9 }),
  fc.array(fc.nat(100), { minLength: 60, maxLength: 60 }),
)
const float = fc.double({ min: -1e12, max: 1e12, noNaN: true })
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((exact): ScalarValue => {
  const number = Number(exact)
  return Number.isSafeInteger(number) ? number : exact.toString()
})

function present(list: readonly Event[]): ScalarValue[] {
  return list.flatMap(({ value }) => (value === null ? [] : [value]))
}

/** The same in any order and grouping as over the whole list at once. */
function equalsWhole<State>(
  aggregate: Aggregate<State>,
  values: fc.Arbitrary<ScalarValue>,
  whole: (list: readonly Event[]) => ScalarValue | null,
): void {
  fc.assert(
    fc.property(events(fc.option(values)), grouping, (list, [parts, picks]) => {
      expect(foldInParts(aggregate, list, parts, picks).value).toEqual(whole(list))
    }),
  )
}

describe('aggregates merged in any order and grouping equal the whole window', () => {
  it('count counts events, also those without a value', () =>
    equalsWhole(count, float, (list) => list.length))

  it('integer sums are exact, and null with a violation beyond 64 bits', () => {
    fc.assert(
      fc.property(events(fc.option(int64)), grouping, (list, [parts, picks]) => {
        const exact = present(list).reduce<bigint>((sum, value) => sum + BigInt(value as number | string), 0n)
        const fits = exact >= -(2n ** 63n) && exact < 2n ** 63n
        const { value, overflow } = foldInParts(integerSum, list, parts, picks)
        expect(overflow).toBe(!fits)
        expect(value === null ? null : BigInt(value as number | string)).toBe(fits ? exact : null)
      }),
    )
  })

  it('min and max, also of int64 beyond 2^53', () => {
    const sorted = (list: readonly Event[]) =>
      present(list).sort((a, b) => (BigInt(a as string) < BigInt(b as string) ? -1 : 1))
    equalsWhole(min, int64, (list) => sorted(list)[0] ?? null)
    equalsWhole(max, int64, (list) => sorted(list).at(-1) ?? null)
  })

  it('first and last follow (event timestamp, topic, partition, offset), over values that are not null', () => {
    const ordered = (list: readonly Event[]) =>
      list.filter(({ value }) => value !== null).sort((a, b) => compareEventPlaces(a.place, b.place))
    equalsWhole(first, fc.string(), (list) => ordered(list)[0]?.value ?? null)
    equalsWhole(last, fc.string(), (list) => ordered(list).at(-1)?.value ?? null)
  })

  it('countDistinct is exact', () =>
    equalsWhole(
      countDistinct,
      fc.constantFrom('a', 'b', 'c', '', '1'),
      (list) => new Set(present(list)).size,
    ))

  it('float sums within 1e-9 of Σ|x|, means of Σ|x|/n', () => {
    fc.assert(
      fc.property(events(fc.option(float)), grouping, (list, [parts, picks]) => {
        const values = present(list).map(Number)
        const whole = values.reduce((sum, value) => sum + value, 0)
        const bound = 1e-9 * values.reduce((sum, value) => sum + Math.abs(value), 0)
        expect(Math.abs(Number(foldInParts(floatSum, list, parts, picks).value) - whole)).toBeLessThanOrEqual(
          bound,
        )
        const answer = foldInParts(mean, list, parts, picks).value
        if (values.length === 0) expect(answer).toBeNull()
        else
          expect(Math.abs(Number(answer) - whole / values.length)).toBeLessThanOrEqual(bound / values.length)
      }),
    )
  })

  it('variance within 1e-9·var + 1e-14·|mean|·sd, also of small differences around a large mean', () => {
    const far = fc.tuple(
      fc.constantFrom(0, 1, 1e6, 1e9),
      fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 2, maxLength: 30 }),
    )
    fc.assert(
      fc.property(far, grouping, ([centre, offsets], [parts, picks]) => {
        const list = offsets.map((offset, index): Event => {
          return { place: { timestamp: 0, topic: 't', partition: 0, offset: index }, value: centre + offset }
        })
        const values = present(list).map(Number)
        // Around the first value, so that the whole's own reckoning loses nothing.
        const shifted = values.map((value) => value - (values[0] ?? 0))
        const m = shifted.reduce((sum, value) => sum + value, 0) / shifted.length
        const whole = shifted.reduce((sum, value) => sum + (value - m) ** 2, 0) / (shifted.length - 1)
        const bound = 1e-9 * whole + 1e-14 * Math.abs(centre + m) * Math.sqrt(whole) + 1e-300
        const answer = Number(foldInParts(variance, list, parts, picks).value)
        expect(Math.abs(answer - whole)).toBeLessThanOrEqual(bound)
        expect(foldInParts(stddev, list, parts, picks).value).toBeCloseTo(Math.sqrt(whole), 6)
      }),
    )
  })
})

describe('an empty window', () => {
  it.each([
    ['count', count, 0],
    ['sum of floats', floatSum, 0],
    ['sum of integers', integerSum, 0],
    ['countDistinct', countDistinct, 0],
    ['mean', mean, null],
    ['min', min, null],
    ['max', max, null],
    ['variance', variance, null],
    ['stddev', stddev, null],
    ['first', first, null],
    ['last', last, null],
  ] as const)('is 0 for counts and sums, else null: %s', (_name, aggregate, expected) => {
    expect((aggregate as Aggregate<unknown>).finalise((aggregate as Aggregate<unknown>).empty())).toEqual({
      value: expected,
      overflow: false,
    })
  })

  it('has a variance of exactly 0 of equal values, however they are grouped', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constantFrom(0.1, 1 / 3, 1e300, -0)),
        fc.integer({ min: 2, max: 40 }),
        grouping,
        (value, count, [parts, picks]) => {
          const list = Array.from({ length: count }, (_, offset) => {
            return { place: { timestamp: 0, topic: 't', partition: 0, offset }, value }
          })
          expect(foldInParts(variance, list, parts, picks).value).toBe(0)
          expect(foldInParts(stddev, list, parts, picks).value).toBe(0)
        },
      ),
    )
  })

  it('has no variance with one value either', () => {
    const one = variance.add(variance.empty(), 5, { timestamp: 0, topic: 't', partition: 0, offset: 0 })
    expect(variance.finalise(one).value).toBeNull()
    expect(stddev.finalise(one).value).toBeNull()
  })
})
