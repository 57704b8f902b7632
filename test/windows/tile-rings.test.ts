import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ScalarValue } from '../../src/definitions/value.ts'
import type { ScalarType } from '../../src/definitions/value-type.ts'
import type { WindowedAggregation } from '../../src/definitions/windowed-aggregation.ts'
import { byteReader, byteWriter } from '../../src/windows/bytes.ts'
import { tileLayout, type WindowedEvent } from '../../src/windows/tile-rings.ts'
import { isPresent, windowValue } from '../oracle/window-oracle.ts'

const second = 1_000_000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour
const start = 20_000 * day

const fieldTypes = { amount: 'float64', items: 'int64', shop: 'string', paid: 'bool', raw: 'bytes' } as const

function aggregation(
  aggregate: WindowedAggregation['aggregate'],
  name: keyof typeof fieldTypes | null,
  windowMicros: number,
  hopMicros: number,
  where: Readonly<Record<string, ScalarValue | null>> = {},
): WindowedAggregation {
  const field = (one: string): { name: string; type: ScalarType } => ({
    name: one,
    type: fieldTypes[one as keyof typeof fieldTypes],
  })
  return {
    aggregate,
    field: name === null ? null : field(name),
    windowMicros,
    hopMicros,
    where: Object.entries(where).map(([one, value]) => ({ field: field(one), value })),
  }
}

const aggregations = [
  aggregation('count', null, hour, 5 * minute),
  aggregation('count', null, 20 * minute, 5 * minute),
  aggregation('count', null, hour, 5 * minute, { paid: false }),
  aggregation('sum', 'amount', hour, 5 * minute),
  aggregation('sum', 'items', 7 * day, hour),
  aggregation('mean', 'amount', 7 * day, hour),
  aggregation('min', 'items', 7 * day, hour, { paid: null }),
  aggregation('max', 'amount', 30 * minute, 5 * minute),
  aggregation('variance', 'amount', 2 * hour, 5 * minute),
  aggregation('stddev', 'items', 2 * hour, 5 * minute),
  aggregation('countDistinct', 'shop', 7 * day, hour),
  aggregation('first', 'shop', hour, 5 * minute),
  aggregation('last', 'shop', 7 * day, hour),
]

const event = fc
  .record({
    offset: fc.oneof(
      fc.integer({ min: 0, max: 8 * day }),
      fc.integer({ min: 0, max: 96 }).map((steps) => 8 * day - steps * 5 * minute),
      fc.integer({ min: 0, max: 96 }).map((steps) => 8 * day - steps * 5 * minute - 1),
    ),
    partition: fc.integer({ min: 0, max: 2 }),
    amount: fc.option(fc.integer({ min: -900, max: 900 }).map((cents) => cents / 100)),
    items: fc.option(fc.oneof(fc.integer({ min: -9, max: 9 }), fc.constantFrom('9007199254740993'))),
    shop: fc.option(fc.constantFrom('', 'a', 'b', '😀')),
    paid: fc.option(fc.boolean()),
  })
  .map(({ offset, partition, ...fields }) => ({ at: start + offset, partition, fields }))

/** Events with their places: offsets in each partition by the order of arrival. */
function placed(events: readonly { at: number; partition: number; fields: WindowedEvent['fields'] }[]) {
  const offsets = [0, 0, 0]
  return events.map(({ at, partition, fields }) => {
    const offset = offsets[partition] ?? 0
    offsets[partition] = offset + 1
    return { at, fields, partition, place: { timestamp: at, topic: 't', partition, offset } }
  })
}

describe('tiles in rings', () => {
  const layout = tileLayout(aggregations)

  it('answer what the definition of the windows says, over several partitions, late events and bytes between', () => {
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 80 }),
        fc.array(fc.integer({ min: 0, max: 3 * hour }), { minLength: 1, maxLength: 6 }),
        (events, later) => {
          const all = placed(events)
          let parts = [0, 1, 2].map(() => layout.empty())
          const times = later.sort((left, right) => left - right).map((more) => start + 8 * day + 1 + more)
          // Pruned at the first time: what is asked later must not miss it.
          for (const { at, partition, place, fields } of all)
            layout.add(parts[partition] ?? layout.empty(), { timestamp: at, place, fields })
          for (const part of parts) layout.prune(part, times[0] ?? 0)
          parts = parts.map((part) => {
            const out = byteWriter()
            layout.write(out, part)
            const input = byteReader(out.take())
            const back = layout.read(input)
            expect(input.isAtEnd()).toBe(true)
            return back
          })
          const ordered = [...all].sort(
            (left, right) =>
              left.at - right.at ||
              left.partition - right.partition ||
              left.place.offset - right.place.offset,
          )
          for (const t of times) {
            const values = layout.valuesAt(parts, t)
            expect(values !== null).toBe(isPresent(aggregations, ordered, t))
            values?.forEach(({ value, overflow }, index) => {
              const one = aggregations[index]
              if (!one) return
              const wanted = windowValue(one, ordered, t)
              expect(overflow).toBe(false)
              // Beyond 2^53 the oracle, which adds floats, only comes near.
              if (typeof value === 'string' && one.aggregate !== 'first' && one.aggregate !== 'last')
                expect(Math.abs(Number(value) / Number(wanted) - 1)).toBeLessThan(1e-9)
              else if (typeof value === 'number' && Math.abs(Number(wanted)) < 1e6)
                expect(value).toBeCloseTo(Number(wanted), 6)
              else if (typeof value === 'number')
                expect(Math.abs(value - Number(wanted))).toBeLessThanOrEqual(1e-6 * Math.abs(Number(wanted)))
              else expect(value).toBe(wanted)
            })
          }
        },
      ),
      { numRuns: 400 },
    )
  })

  it('let go of what no window holds any more, and say what one still could', () => {
    const rings = layout.empty()
    const at = (timestamp: number): WindowedEvent => ({
      timestamp,
      place: { timestamp, topic: 't', partition: 0, offset: 0 },
      fields: {},
    })
    const t = start + 10 * day
    for (const timestamp of [t - 7 * day - 1, t - 7 * day, t - 1]) layout.add(rings, at(timestamp))
    layout.prune(rings, t)
    expect(rings.rings.map((tiles) => tiles.size)).toEqual([1, 2])
    expect([t - 7 * day - 1, t - 7 * day].map((time) => layout.isNeeded(time, t))).toEqual([false, true])
    layout.prune(rings, t + 8 * day)
    expect(rings.rings.map((tiles) => tiles.size)).toEqual([0, 0])
    expect(layout.valuesAt([rings], t + 8 * day)).toBeNull()
  })

  it('take few bytes: an hour of three features in 6 of 13 tiles under 120', () => {
    const small = tileLayout(aggregations.slice(0, 4))
    const rings = small.empty()
    for (let tile = 0; tile < 6; tile += 1) {
      const timestamp = start + tile * 5 * minute
      const place = { timestamp, topic: 't', partition: 0, offset: tile }
      small.add(rings, { timestamp, place, fields: { amount: 12.5, paid: false } })
    }
    const out = byteWriter()
    small.write(out, rings)
    expect(out.take().length).toBeLessThan(120)
  })
})

describe('bytes', () => {
  it('come back as they were written, and nothing is read behind their end', () => {
    const item = fc.oneof(
      fc.maxSafeNat().map((value) => ['count', value] as const),
      fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }).map((value) => ['integer', value] as const),
      fc.double().map((value) => ['float', value] as const),
      fc.nat(255).map((value) => ['byte', value] as const),
      fc.string({ unit: 'grapheme', maxLength: 300 }).map((value) => ['text', value] as const),
    )
    fc.assert(
      fc.property(fc.array(item, { maxLength: 40 }), (items) => {
        const out = byteWriter()
        for (const [kind, value] of items) out[kind](value as never)
        const input = byteReader(out.take())
        for (const [kind, value] of items) expect(input[kind]()).toEqual(value)
        expect(input.isAtEnd()).toBe(true)
        expect(input.byte).toThrow(RangeError)
      }),
      { numRuns: 500 },
    )
  })
})
