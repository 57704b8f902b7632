import fc from 'fast-check'
import { entity, featureView } from 'featuregraph'
import { describe, expect, it } from 'vitest'
import { valueTypes } from '../../../src/definitions/value-type.ts'
import { JsonBytes } from '../../../src/online/json/json-bytes.ts'
import { type SelectedRow, writeSelected } from '../../../src/online/json/selected-row.ts'
import { viewReader } from '../../../src/online/view-reader.ts'
import { buildRegistry } from '../../../src/registry/build-registry.ts'
import { packTombstone, rowLayout, rowPacker } from '../../../src/stores/online-value/packed-row.ts'
import { arbitraryValue } from '../../contract/arbitrary-value.ts'

const hour = 3_600_000_000
const now = 1_795_000_000_000_000
const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
/** Twice, so that one generated function does not hold all. */
const features = Object.fromEntries(
  [...valueTypes, ...valueTypes].map((type, index) => [`f${index}`, type] as const),
)
const definition = featureView('everything', { entity: customer, ttl: '1h', features })
const { views } = buildRegistry([
  { path: 'customer', value: customer },
  { path: 'everything', value: definition },
])
const [view] = views
if (!view) throw new Error('there is no view')
const layout = rowLayout(
  'test',
  view.name,
  view.features.map(({ id, type }) => ({ name: id, type })),
)
const reader = viewReader(view, layout, { find: () => null, isUnrecorded: () => true })
const pack = rowPacker(layout)
const selected: SelectedRow = [
  ...view.features.map((feature) => ({ kind: 'feature', name: `alias_${feature.name}`, feature }) as const),
  { kind: 'constant', name: '__typename', json: '"Everything"' },
  {
    kind: 'freshness',
    name: 'freshness',
    fields: (
      [
        'status',
        'eventTimestamp',
        'createdTimestamp',
        'ageSeconds',
        'expiresAt',
        'source',
        'lagSeconds',
        'reason',
      ] as const
    ).map((fact) => ({ kind: 'fact', name: fact, fact })),
  },
]

const row = fc.record({
  values: fc.tuple(...view.features.map(({ type }) => fc.option(arbitraryValue(type), { freq: 4 }))),
  // The edges of the ttl, by a microsecond, and rows from ahead of the clock.
  age: fc.oneof(fc.constantFrom(hour - 1, hour, hour + 1, 0, -5), fc.integer({ min: -10, max: 2 * hour })),
  createdAgo: fc.option(fc.integer({ min: 0, max: hour })),
  closing: fc.boolean(),
})

/** What the resolvers would answer, from the row that is read. */
function expected(bytes: Buffer | null, maxAge: number | null): string {
  const out = new JsonBytes(1e9)
  writeSelected(selected, reader.readPacked(bytes, now, maxAge), out)
  return out.take().toString()
}

function written(bytes: Buffer | null, maxAge: number | null): string {
  const out = new JsonBytes(1e9)
  const other = reader.writeJson(selected)(bytes, now, maxAge, out)
  if (other !== null) {
    expect(out.at).toBe(0)
    writeSelected(selected, other, out)
  }
  return out.take().toString()
}

describe('a packed row', () => {
  it('has the JSON of the row that is read of it: every type, nulls, ages around its ttl, closing rows', () => {
    let direct = 0
    fc.assert(
      fc.property(
        row,
        fc.option(fc.constantFrom(0, hour - 1)),
        ({ values, age, createdAgo, closing }, maxAge) => {
          const bytes = pack({
            eventTimestamp: now - age,
            createdTimestamp: createdAgo === null ? null : now - createdAgo,
            ...{ rowId: null, values, closing },
          })
          expect(written(bytes, maxAge)).toBe(expected(bytes, maxAge))
          if (reader.writeJson(selected)(bytes, now, maxAge, new JsonBytes(1e9)) === null) direct += 1
        },
      ),
      { numRuns: 300 },
    )
    expect(direct).toBeGreaterThan(20)
  })

  it('that is cut, or not of this layout, is read as everywhere, and nothing of it is written', () => {
    const values = view.features.map(({ type }) => (type === 'string' ? 'é"\\\u2028😀' : null))
    const whole = pack({ eventTimestamp: now, createdTimestamp: now, rowId: 1, values })
    for (let length = 0; length <= whole.length; length += 1)
      expect(written(whole.subarray(0, length), null)).toBe(expected(whole.subarray(0, length), null))
    const changed = Buffer.from(whole)
    for (const place of [0, 1, 4, 8, 33]) {
      changed.set(whole)
      changed[place] = (changed[place] ?? 0) ^ 0x41
      expect(written(changed, null)).toBe(expected(changed, null))
    }
    for (const bytes of [null, packTombstone(now)]) expect(written(bytes, null)).toBe(expected(bytes, null))
  })

  it('with a number that JSON has no text for fails the answer, so that it is made elsewhere', () => {
    const place = view.features.findIndex(({ type }) => type === 'float64')
    const values = view.features.map((_, index) => (index === place ? 1.5 : null))
    const bytes = pack({ eventTimestamp: now, createdTimestamp: now, rowId: 1, values })
    const at = bytes.indexOf(Buffer.from(Float64Array.of(1.5).buffer))
    bytes.writeDoubleLE(Number.POSITIVE_INFINITY, at)
    const out = new JsonBytes(1e9)
    reader.writeJson(selected)(bytes, now, null, out)
    expect(out.hasFailed).toBe(true)
  })
})
