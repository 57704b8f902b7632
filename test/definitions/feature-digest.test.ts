import fc from 'fast-check'
import {
  batch,
  count,
  entity,
  eventSource,
  featureView,
  parquetSource,
  postgresSource,
  sum,
  windowedView,
} from 'featuregraph'
import { describe, expect, it } from 'vitest'
import { type FeatureDigests, featureDigests, viewDefinition } from '../../src/definitions/feature-digest.ts'
import { buildRegistry } from '../../src/registry/build-registry.ts'

/** Every part that the meaning of `total` is made of, each with some values. */
const windowedParts = {
  aggregate: fc.constantFrom('sum', 'mean', 'max', 'stddev'),
  field: fc.constantFrom('amount', 'price'),
  fieldColumn: fc.constantFrom(undefined, 'a', 'b'),
  window: fc.constantFrom('7d', '14d', '30d'),
  hop: fc.constantFrom('1h', '6h', '1d'),
  every: fc.constantFrom('1h', '1d'),
  where: fc.constantFrom({}, { ok: true }, { ok: false }, { kind: 'x' }, { ok: true, kind: 'x' }),
  whereColumn: fc.constantFrom(undefined, 'is_ok'),
  source: fc.constantFrom('sales', 'orders'),
  place: fc.constantFrom(
    {},
    { topic: 'sales' },
    { topic: 'orders' },
    { table: 'shop.sales' },
    { table: 'shop.orders' },
  ),
  eventTimestamp: fc.constantFrom('at', 'happened_at'),
  createdTimestamp: fc.constantFrom(undefined, 'known_at', 'loaded_at'),
  eventId: fc.constantFrom(undefined, 'id', 'uuid'),
  keyColumn: fc.constantFrom(undefined, 'buyer'),
  keyType: fc.constantFrom('int64', 'string'),
} as const
const meaning = fc.record(windowedParts)
type Meaning = typeof meaning extends fc.Arbitrary<infer Value> ? Value : never

/** What changes no stored value. */
const appearance = fc.record({
  name: fc.constantFrom('daily', 'nightly'),
  ttl: fc.constantFrom('1d', '90d'),
  description: fc.constantFrom('one', 'another'),
  default: fc.constantFrom(0, 1),
  isFirst: fc.boolean(),
  reversed: fc.boolean(),
})
type Appearance = typeof appearance extends fc.Arbitrary<infer Value> ? Value : never

function digestsOf(
  meant: Meaning,
  { name, ttl, description, default: byDefault, isFirst, reversed }: Appearance,
): FeatureDigests {
  const isTable = 'table' in meant.place
  const conditions = Object.entries(meant.where)
  const columns = { [meant.field]: meant.fieldColumn, ok: meant.whereColumn, customer_id: meant.keyColumn }
  const aggregation = {
    ...sum(meant.field, meant.window as '7d', {
      hop: meant.hop as '1h',
      where: Object.fromEntries(reversed ? conditions.reverse() : conditions),
      description,
      default: byDefault,
    }),
    aggregate: meant.aggregate,
  }
  const features = isFirst
    ? { total: aggregation, n: count('2d') }
    : { n: count('3d'), other: count('40d'), total: aggregation }
  const fields = {
    customer_id: meant.keyType,
    amount: 'float64',
    price: 'float64',
    ok: 'bool',
    kind: 'string',
  }
  const customer = entity('customer', { joinKeys: { customer_id: meant.keyType } })
  const source = eventSource(meant.source, {
    ...meant.place,
    eventTimestamp: meant.eventTimestamp,
    ...(meant.createdTimestamp === undefined ? {} : { createdTimestamp: meant.createdTimestamp }),
    // A mapped table takes none.
    ...(meant.eventId === undefined || isTable ? {} : { eventId: meant.eventId }),
    columns: Object.fromEntries(Object.entries(columns).filter((entry) => entry[1] !== undefined)) as Record<
      string,
      string
    >,
    fields: fields as Record<string, 'string'>,
  })
  const definitions = [
    customer,
    source,
    {
      ...windowedView(name, {
        entity: customer,
        source,
        ttl: ttl as '1d',
        compute: batch({ every: meant.every as '1h' }),
        features: {},
      }),
      features,
    },
  ]
  const view = buildRegistry(definitions.map((value, index) => ({ path: `definition ${index}`, value })))
    .views[0]
  if (view?.kind !== 'BATCH') throw new Error('no batch view')
  return featureDigests(view)
}

/** What of the parts there is to see. */
function visible(meant: Meaning): unknown {
  const isTable = 'table' in meant.place
  return [
    ...[meant.aggregate, meant.field, meant.fieldColumn ?? meant.field, meant.window, meant.hop, meant.every],
    Object.entries(meant.where).sort(),
    'ok' in meant.where ? (meant.whereColumn ?? 'ok') : null,
    isTable ? null : meant.source,
    meant.place,
    ...[meant.eventTimestamp, meant.createdTimestamp, isTable ? null : meant.eventId],
    ...[meant.keyColumn, meant.keyType],
  ]
}

describe('the digest of a windowed feature', () => {
  it('is the same for the same meaning, whatever else its view says', () => {
    fc.assert(
      fc.property(meaning, appearance, appearance, (meant, one, other) => {
        expect(digestsOf(meant, one)['total']).toBe(digestsOf(meant, other)['total'])
      }),
    )
  })

  it('is another one when any part of the meaning is another', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...(Object.keys(windowedParts) as (keyof Meaning)[])),
        meaning,
        meaning,
        appearance,
        (part, meant, other, shown) => {
          const changed: Meaning = { ...meant, [part]: other[part] }
          const isSame = JSON.stringify(visible(changed)) === JSON.stringify(visible(meant))
          const [before, after] = [digestsOf(meant, shown), digestsOf(changed, shown)]
          expect(before['total'] === after['total']).toBe(isSame)
        },
      ),
    )
  })
})

describe('the digest of a feature in a mapped table', () => {
  const digestOf = (source: object | null): string | undefined => {
    const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
    const definitions = [
      customer,
      featureView('orders', {
        entity: customer,
        features: { total: 'float64' },
        ...(source === null
          ? {}
          : { source: postgresSource('orders', { table: 'shop.orders', eventTimestamp: 'at', ...source }) }),
      }),
    ]
    const view = buildRegistry(definitions.map((value, index) => ({ path: `definition ${index}`, value })))
      .views[0]
    if (view?.kind !== 'PLAIN') throw new Error('no plain view')
    return featureDigests(view)['total']
  }

  it('takes in the table, the times, the row id and the columns that it reads, and no other', () => {
    const sources = [
      ...[null, {}, { table: 'shop.sales' }, { table: undefined, query: 'select * from shop.orders' }],
      ...[{ eventTimestamp: 'shipped' }, { createdTimestamp: 'loaded' }, { rowId: 'order_id' }],
      ...[{ columns: { total: 'sum' } }, { columns: { customer_id: 'buyer' } }],
    ]
    expect(new Set(sources.map(digestOf)).size).toBe(sources.length)
    expect(digestOf({ columns: { total: 'total' } })).toBe(digestOf({}))
  })
})

describe('the digest of a feature in Parquet files', () => {
  const digestOf = (source: object): string | undefined => {
    const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
    const definitions = [
      customer,
      featureView('orders', {
        entity: customer,
        features: { total: 'float64' },
        source: parquetSource('orders', { path: 'lake/orders', eventTimestamp: 'at', ...source }),
      }),
    ]
    const view = buildRegistry(definitions.map((value, index) => ({ path: `definition ${index}`, value })))
      .views[0]
    if (view?.kind !== 'PLAIN') throw new Error('no plain view')
    return featureDigests(view)['total']
  }

  it('takes in where they are, how they are read and the columns, and not which of them are read', () => {
    const sources = [
      ...[{}, { path: 'lake/sales' }, { format: 'delta' }, { timezone: 'Europe/Berlin' }],
      ...[{ eventTimestamp: 'shipped' }, { createdTimestamp: 'loaded' }, { rowId: 'order_id' }],
      ...[{ closing: 'gone' }, { columns: { total: 'sum' } }, { columns: { customer_id: 'buyer' } }],
    ]
    expect(new Set(sources.map(digestOf)).size).toBe(sources.length)
    for (const same of [
      { partitions: { day: 'day' } },
      { empty: { total: 0 } },
      { columns: { total: 'total' } },
    ])
      expect(digestOf(same)).toBe(digestOf({}))
  })
})

describe('the definition of a view', () => {
  it('is made of its features’ digests in any order, under their names', () => {
    const digests = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.constantFrom('1', '2'))
    fc.assert(
      fc.property(digests, digests, (left, right) => {
        const sorted = (of: FeatureDigests): string => JSON.stringify(Object.entries(of).sort())
        expect(viewDefinition(left) === viewDefinition(right)).toBe(sorted(left) === sorted(right))
        expect(viewDefinition(Object.fromEntries(Object.entries(left).reverse()))).toBe(viewDefinition(left))
      }),
    )
  })
})
