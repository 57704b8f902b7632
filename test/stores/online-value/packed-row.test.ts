import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { entity } from '../../../src/definitions/entity.ts'
import { featureView } from '../../../src/definitions/feature-view.ts'
import type { Value } from '../../../src/definitions/value.ts'
import { isDecimal, type ValueType, valueTypes } from '../../../src/definitions/value-type.ts'
import { viewReader } from '../../../src/online/view-reader.ts'
import { rowValue, type ViewRow } from '../../../src/online/view-row.ts'
import { buildRegistry } from '../../../src/registry/build-registry.ts'
import type { FeatureView } from '../../../src/registry/registry.ts'
import {
  compareRowOrder,
  packedHeaderBytes,
  packTombstone,
  type RowLayout,
  readRowOrder,
  readSlot,
  rowLayout,
  rowPacker,
  slotsOf,
} from '../../../src/stores/online-value/packed-row.ts'
import { arbitraryValue } from '../../contract/arbitrary-value.ts'
import { allTypes, at } from '../../contract/offline-store.ts'

const t = at('2026-11-20T12:00:00.000001Z')
type Features = Readonly<Record<string, ValueType>>

function viewOf(features: Features, ttl?: string): FeatureView {
  const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
  const definition = featureView('v', { entity: customer, features, ...(ttl === undefined ? {} : { ttl }) })
  const [view] = buildRegistry([
    { path: 'a', value: customer },
    { path: 'b', value: definition },
  ]).views
  if (view === undefined) throw new Error('no view')
  return view
}

function layoutOf(features: Features, viewId = 'v'): RowLayout {
  return rowLayout(
    'p',
    viewId,
    Object.entries(features).map(([name, type]) => ({ name, type })),
  )
}

function pack(layout: RowLayout, values: readonly (Value | null)[], eventTimestamp = t): Buffer {
  return rowPacker(layout)({ eventTimestamp, createdTimestamp: t + 5, rowId: 7, values })
}

describe('a packed row', () => {
  /** Reads rows of today's layout and of older ones. */
  function readerOf(view: FeatureView, layout: RowLayout, older: readonly RowLayout[] = []) {
    return viewReader(view, layout, {
      find: (fingerprint) => {
        const found = older.find((one) => one.fingerprint === fingerprint)
        return found ? { ...found, viewId: 'v', definition: null, digests: null } : null
      },
      isUnrecorded: () => false,
    })
  }

  function valuesOf(view: FeatureView, row: ViewRow): (Value | null)[] {
    return view.features.map((feature) => rowValue(row, feature.graphqlName))
  }

  /** A decimal of more than 15 digits is answered as the number next to it. */
  function answered(view: FeatureView, values: readonly (Value | null)[]): (Value | null)[] {
    return view.features.map(({ type }, index) => {
      const value = values[index] ?? null
      return isDecimal(type) && value !== null ? Number(value) : value
    })
  }

  function expectUnavailable(view: FeatureView, row: ViewRow): void {
    expect(row.$status).toBe('UNAVAILABLE')
    expect(valuesOf(view, row)).toEqual(view.features.map(() => null))
    expect(row.freshness).toMatchObject({ eventTimestamp: null, createdTimestamp: null, ageSeconds: null })
  }

  it('gives back every value of every type, with the times it was written with', () => {
    const view = viewOf(allTypes)
    const layout = layoutOf(allTypes)
    const reader = readerOf(view, layout)
    const values = fc.tuple(
      ...view.features.map((feature) => fc.option(arbitraryValue(feature.type), { freq: 4 })),
    )
    const created = fc.option(fc.maxSafeInteger())
    fc.assert(
      fc.property(values, fc.maxSafeInteger(), created, (packed, eventTimestamp, createdTimestamp) => {
        const bytes = rowPacker(layout)({ eventTimestamp, createdTimestamp, rowId: null, values: packed })
        const row = reader.readPacked(bytes, eventTimestamp + 1_500_000, null)
        expect(row.$status).toBe('PRESENT')
        expect(valuesOf(view, row)).toEqual(answered(view, packed))
        slotsOf(layout).slots.forEach((slot, index) => {
          if (isDecimal(slot.type) && packed[index] !== null)
            expect(readSlot(bytes, slot)).toBe(packed[index])
        })
        expect(row.freshness).toMatchObject({ eventTimestamp, createdTimestamp, source: 'ONLINE' })
        expect(readRowOrder(bytes)).toEqual([eventTimestamp, createdTimestamp ?? Number.NEGATIVE_INFINITY, 0])
      }),
      { numRuns: 300 },
    )
  })

  it.each([
    [0, 0],
    [-1, -1],
    [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    [Number.MIN_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
    ['9007199254740992', '9007199254740992'],
    ['-9007199254740992', '-9007199254740992'],
    ['9007199254740993', '9007199254740993'],
    ['9223372036854775807', '9223372036854775807'],
    ['-9223372036854775808', '-9223372036854775808'],
    [4_294_967_295, 4_294_967_295],
    [4_294_967_296, 4_294_967_296],
    [-4_294_967_296, -4_294_967_296],
    [-4_294_967_297, -4_294_967_297],
  ])('keeps the int64 %s exactly, alone and in a list', (value, expected) => {
    const features = { n: 'int64', list: 'int64[]' } as const
    const view = viewOf(features)
    const row = readerOf(view, layoutOf(features)).readPacked(
      pack(layoutOf(features), [value, [value, value]]),
      t,
      null,
    )
    expect(valuesOf(view, row)).toEqual([expected, [expected, expected]])
  })

  it('keeps its null bits for 1 to 40 features: each alone null, each alone set, all and none', () => {
    for (let count = 1; count <= 40; count += 1) {
      const features = Object.fromEntries(
        Array.from({ length: count }, (_, index) => [
          `f${index}`,
          index % 3 ? ('int32' as const) : ('bool' as const),
        ]),
      )
      const view = viewOf(features)
      const layout = layoutOf(features)
      const reader = readerOf(view, layout)
      const value = (index: number): Value => (index % 3 ? index : true)
      const isNull: ((index: number) => boolean)[] = [() => true, () => false]
      for (let place = 0; place < count; place += 1) {
        isNull.push(
          (index) => index === place,
          (index) => index !== place,
        )
      }
      for (const nullAt of isNull) {
        const values = view.features.map((_, index) => (nullAt(index) ? null : value(index)))
        const row = reader.readPacked(pack(layout, values), t, null)
        expect(row.$status).toBe('PRESENT')
        expect(valuesOf(view, row)).toEqual(values)
      }
    }
  })

  it('is PRESENT up to the ttl and OUTSIDE_TTL a microsecond later, without values; maxAge tightens it', () => {
    const features = { n: 'int32' } as const
    const view = viewOf(features, '1h')
    const reader = readerOf(view, layoutOf(features))
    const bytes = pack(layoutOf(features), [5])
    const at = (age: number, maxAge: number | null) => {
      const row = reader.readPacked(bytes, t + age, maxAge)
      return [row.$status, rowValue(row, 'n'), row.freshness.ageSeconds]
    }
    expect(at(3_600_000_000, null)).toEqual(['PRESENT', 5, 3_600])
    expect(at(3_600_000_001, null)).toEqual(['OUTSIDE_TTL', null, 3_600.000001])
    expect(at(10, 10)).toEqual(['PRESENT', 5, 0.00001])
    expect(at(11, 10)).toEqual(['OUTSIDE_TTL', null, 0.000011])
    expect(at(-5, 0)).toEqual(['PRESENT', 5, 0])
    expect(reader.readPacked(bytes, t + 3_600_000_001, null).freshness).toEqual({
      status: 'OUTSIDE_TTL',
      eventTimestamp: t,
      createdTimestamp: t + 5,
      ageSeconds: 3_600.000001,
      expiresAt: t + 3_600_000_000,
      source: 'ONLINE',
      lagSeconds: null,
      reason: null,
    })
  })

  it('that is missing is NOT_FOUND with nulls, and no alarm', () => {
    const view = viewOf(allTypes)
    const row = readerOf(view, layoutOf(allTypes)).readPacked(null, t, null)
    expect(row.$status).toBe('NOT_FOUND')
    expect(valuesOf(view, row)).toEqual(view.features.map(() => null))
  })

  it('cut short at any length is UNAVAILABLE: nothing is thrown, no value is given', () => {
    const features = {
      n: 'int64',
      text: 'string',
      flag: 'bool',
      list: 'float64[]',
      texts: 'string[]',
    } as const
    const view = viewOf(features)
    const layout = layoutOf(features)
    const reader = readerOf(view, layout)
    const whole = pack(layout, [7, 'some text', true, [1, 2, 3], ['a', 'bc', 'd']])
    for (let length = 0; length < whole.length; length += 1) {
      expectUnavailable(view, reader.readPacked(whole.subarray(0, length), t, null))
    }
    expect(reader.readPacked(whole, t, null).$status).toBe('PRESENT')
  })

  it.each([
    ['string', 'some text'],
    ['bytes', Buffer.from('some bytes')],
    ['string[]', ['a', 'bc']],
    ['bool[]', [true, false]],
    ['int64[]', [1, '9223372036854775807']],
  ] as const)('whose last %s is cut short anywhere is UNAVAILABLE', (type, value) => {
    const features = { n: 'int32', last: type } as const
    const view = viewOf(features)
    const reader = readerOf(view, layoutOf(features))
    const whole = pack(layoutOf(features), [1, value])
    for (let length = 0; length < whole.length; length += 1) {
      expectUnavailable(view, reader.readPacked(whole.subarray(0, length), t, null))
    }
    expect(valuesOf(view, reader.readPacked(whole, t, null))).toEqual([1, value])
  })

  it('of random bytes is UNAVAILABLE, of any length', () => {
    const view = viewOf(allTypes)
    const reader = readerOf(view, layoutOf(allTypes))
    for (let round = 0; round < 300; round += 1) {
      const bytes = randomBytes(round)
      if (round % 2 && bytes.length > 0) bytes[0] = 1
      expectUnavailable(view, reader.readPacked(bytes, t, null))
    }
  })

  it('that closes, or stands for a deletion, is as absent as none; flags of a later version are UNAVAILABLE', () => {
    const view = viewOf(allTypes)
    const layout = layoutOf(allTypes)
    const reader = readerOf(view, layout)
    const row = { eventTimestamp: t, createdTimestamp: t, rowId: 1, values: [] }
    const absent = reader.readPacked(null, t, null)
    expect(absent.$status).toBe('NOT_FOUND')
    const closing = rowPacker(layout)({ ...row, closing: true })
    expect(reader.readPacked(closing, t, 1)).toEqual(absent)
    expect(reader.readPacked(packTombstone(t), t, null)).toEqual(absent)
    closing[1] = 3
    expectUnavailable(view, reader.readPacked(closing, t, null))
  })

  it('of a deletion is newer than every row of its time and older than any of the next microsecond', () => {
    const tombstone = readRowOrder(packTombstone(t)) ?? []
    expect(compareRowOrder(tombstone, [t, t + 1e9, Number.MAX_SAFE_INTEGER])).toBe(1)
    expect(compareRowOrder(tombstone, [t + 1, Number.NEGATIVE_INFINITY, 0])).toBe(-1)
  })

  it('with an intact header and random bytes behind it is never thrown over', () => {
    const view = viewOf(allTypes)
    const layout = layoutOf(allTypes)
    const reader = readerOf(view, layout)
    const header = pack(layout, []).subarray(0, packedHeaderBytes)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400, size: 'max' }), (body) => {
        const row = reader.readPacked(Buffer.concat([header, body]), t, null)
        expect(['PRESENT', 'UNAVAILABLE']).toContain(row.$status)
      }),
      { numRuns: 300 },
    )
  })

  it.each(valueTypes.filter((type) => type.endsWith('[]')))(
    'with a list %s that counts more items than it holds is UNAVAILABLE, at once',
    (type) => {
      const features = { list: type }
      const view = viewOf(features)
      const layout = layoutOf(features)
      const bytes = pack(layout, [[]])
      for (const count of [1, 2 ** 31, 2 ** 32 - 1]) {
        bytes.writeUInt32LE(count, bytes.length - 4)
        expectUnavailable(view, readerOf(view, layout).readPacked(bytes, t, null))
      }
    },
  )

  it.each([0, 2, 3, 255])('of format %d is UNAVAILABLE', (format) => {
    const features = { n: 'int32' } as const
    const view = viewOf(features)
    const bytes = pack(layoutOf(features), [5])
    bytes[0] = format
    expectUnavailable(view, readerOf(view, layoutOf(features)).readPacked(bytes, t, null))
  })

  it('of a layout that nobody knows is UNAVAILABLE, though it may fit', () => {
    const features = { n: 'int32' } as const
    const view = viewOf(features)
    for (const other of [layoutOf({ m: 'int32' }), layoutOf(features, 'another_view')]) {
      const reader = readerOf(view, layoutOf(features))
      expectUnavailable(view, reader.readPacked(pack(other, [5]), t, null))
      expect(reader.unknownLayout(pack(other, [5]))).toBe(other.fingerprint)
    }
  })

  it('has a layout to learn only where its fingerprint is none that is known', () => {
    const was = layoutOf({ m: 'int32' })
    const today = layoutOf({ n: 'int32' })
    const reader = readerOf(viewOf({ n: 'int32' }), today, [was])
    const rows = [pack(today, [1]), pack(was, [1]), packTombstone(t), Buffer.from('no row'), null]
    expect(rows.map(reader.unknownLayout)).toEqual(rows.map(() => null))
  })

  it('of a layout that was wider is null where the value is out of range', () => {
    const today = { n: 'int32', x: 'float32' } as const
    const wide = layoutOf({ n: 'int64', x: 'float64' })
    const reader = readerOf(viewOf(today), layoutOf(today), [wide])
    const histories = [
      { values: [-2_147_483_648, 0.1], now: [-2_147_483_648, Math.fround(0.1)] },
      { values: [2_147_483_648, 1e300], now: [null, null] },
      { values: ['9223372036854775807', -1e39], now: [null, null] },
      { values: [null, null], now: [null, null] },
    ]
    for (const { values, now } of histories)
      expect(valuesOf(viewOf(today), reader.readPacked(pack(wide, values), t, null))).toEqual(now)
  })

  it('of an older layout is read by its features: reordered, added, removed, widened, of another type', () => {
    const today = { text: 'string', n: 'int64', added: 'float64', list: 'int32[]' } as const
    const view = viewOf(today)
    const histories: readonly {
      readonly was: Features
      readonly values: Value[]
      readonly now: unknown[]
    }[] = [
      { was: { n: 'int64', text: 'string' }, values: [1, 'a'], now: ['a', 1, null, null] },
      {
        was: { list: 'int32[]', n: 'int64', text: 'string' },
        values: [[1], 2, 'b'],
        now: ['b', 2, null, [1]],
      },
      {
        was: { gone: 'string', n: 'int64', text: 'string' },
        values: ['x', 3, 'c'],
        now: ['c', 3, null, null],
      },
      {
        was: { n: 'int32', text: 'bytes', added: 'float32' },
        values: [4, Buffer.from('d'), 0.1],
        now: [null, 4, Math.fround(0.1), null],
      },
      { was: { list: 'int64[]', added: 'float64' }, values: [[5], 5.5], now: [null, null, 5.5, null] },
      {
        was: { text: 'string', n: 'int64', added: 'float64', list: 'int32[]', dropped: 'bool' },
        values: ['f', 6, 6.5, [6], true],
        now: ['f', 6, 6.5, [6]],
      },
    ]
    const older = histories.map(({ was }) => layoutOf(was))
    const reader = readerOf(view, layoutOf(today), older)
    for (const { was, values, now } of histories) {
      // Twice: the second reading finds the decoder that the first has made.
      for (const _ of [1, 2]) {
        const row = reader.readPacked(pack(layoutOf(was), values), t, null)
        expect(row.$status).toBe('PRESENT')
        expect(valuesOf(view, row)).toEqual(now)
        expect(row.freshness).toMatchObject({ eventTimestamp: t, createdTimestamp: t + 5 })
      }
      const cut = pack(layoutOf(was), values)
      expectUnavailable(view, reader.readPacked(cut.subarray(0, packedHeaderBytes + 1), t, null))
    }
  })

  it('does not change when its bytes are read, nor when they stand at an odd place of a larger buffer', () => {
    const view = viewOf(allTypes)
    const layout = layoutOf(allTypes)
    const values = fc.sample(fc.tuple(...view.features.map((feature) => arbitraryValue(feature.type))), 20)
    for (const packed of values) {
      const bytes = pack(layout, packed)
      const copy = Buffer.concat([Buffer.from('xyz'), bytes, Buffer.from('behind')]).subarray(
        3,
        3 + bytes.length,
      )
      expect(valuesOf(view, readerOf(view, layout).readPacked(copy, t, null))).toEqual(answered(view, packed))
      expect(copy.equals(bytes)).toBe(true)
    }
  })
})

describe('the fingerprint of a layout', () => {
  it('depends on project, view, names, types and order, and on nothing else', () => {
    const of = (project: string, view: string, features: Features): number =>
      rowLayout(
        project,
        view,
        Object.entries(features).map(([name, type]) => ({ name, type })),
      ).fingerprint
    const base = of('p', 'v', { a: 'int32', b: 'int64' })
    const others = [
      of('q', 'v', { a: 'int32', b: 'int64' }),
      of('p', 'w', { a: 'int32', b: 'int64' }),
      of('p', 'v', { b: 'int64', a: 'int32' }),
      of('p', 'v', { a: 'int64', b: 'int64' }),
      of('p', 'v', { a: 'int32', c: 'int64' }),
      of('p', 'v', { a: 'int32' }),
    ]
    expect(new Set([base, ...others]).size).toBe(7)
    expect(of('p', 'v', { a: 'int32', b: 'int64' })).toBe(base)
    // Rows that are stored have it: a change here makes every one of them unreadable.
    expect(base).toBe(514_612_522)
  })
})

describe('the order of packed rows', () => {
  it('is total: by event, then created with null lowest, then row id', () => {
    const place = fc.tuple(
      fc.integer({ min: 0, max: 2 }),
      fc.option(fc.integer({ min: 0, max: 2 })),
      fc.nat(2),
    )
    const layout = layoutOf({ n: 'int32' })
    const orderOf = ([eventTimestamp, createdTimestamp, rowId]: readonly [number, number | null, number]) => {
      const order = readRowOrder(rowPacker(layout)({ eventTimestamp, createdTimestamp, rowId, values: [1] }))
      if (order === null) throw new Error('no packed row')
      return order
    }
    fc.assert(
      fc.property(place, place, (left, right) => {
        const rank = ([event, created, id]: typeof left): number => event * 100 + (created ?? -1) * 10 + id
        expect(Math.sign(compareRowOrder(orderOf(left), orderOf(right)))).toBe(
          Math.sign(rank(left) - rank(right)),
        )
      }),
    )
    expect(readRowOrder(Buffer.alloc(31, 1))).toBeNull()
    expect(readRowOrder(Buffer.alloc(64, 2))).toBeNull()
  })
})
