import {
  batch,
  count,
  countDistinct,
  entity,
  eventSource,
  featureService,
  featureView,
  fileSource,
  first,
  last,
  max,
  mean,
  min,
  stddev,
  stream,
  sum,
  variance,
  windowedView,
} from 'featuregraph'
import { describe, expect, it } from 'vitest'
import { InvalidDefinitions } from '../../src/errors.ts'
import { buildRegistry } from '../../src/registry/build-registry.ts'
import type { BatchView } from '../../src/registry/registry.ts'

const second = 1_000_000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const transactions = eventSource('transactions', {
  eventTimestamp: 'timestamp',
  fields: {
    customer_id: 'int64',
    amount: 'float64',
    items: 'int32',
    merchant_id: 'string',
    paid_at: 'timestamp',
    success: { type: 'bool', default: true },
  },
  columns: { merchant_id: 'shop' },
  expect: { amount: { min: 0, action: 'quarantine' } },
})

function viewOf(features: Parameters<typeof windowedView>[1]['features'], options: object = {}) {
  return windowedView('spending', {
    entity: customer,
    source: transactions,
    compute: batch({ every: '1d' }),
    features,
    ...options,
  })
}

function build(...values: readonly unknown[]) {
  return buildRegistry(values.map((value, index) => ({ path: `fraud.ts: ${index}`, value })))
}

function batchView(...values: readonly unknown[]): BatchView {
  const view = build(...values).views.at(-1)
  if (view?.kind !== 'BATCH') throw new Error('no batch view')
  return view
}

function problemsOf(...values: readonly unknown[]): readonly string[] {
  try {
    build(...values)
  } catch (error) {
    if (!(error instanceof InvalidDefinitions)) throw error
    return error.problems.map(
      ({ path, message }) => `${path.replace(/ \(fraud\.ts: \d+\)$/, '')}: ${message}`,
    )
  }
  return []
}

describe('a windowed view', () => {
  it('has features of the types that its aggregations make, and what empty windows answer', () => {
    const view = batchView(
      customer,
      transactions,
      viewOf({
        n: count('30d'),
        total: sum('amount', '30d'),
        items: sum('items', '7d'),
        average: mean('items', '1h'),
        least: min('items', '1h'),
        latest_payment: max('paid_at', '1h'),
        spread: variance('amount', '1d'),
        deviation: stddev('amount', '1d'),
        shops: countDistinct('merchant_id', '30d'),
        first_shop: first('merchant_id', '30d'),
        last_success: last('success', '30d'),
      }),
    )
    expect(Object.fromEntries(view.features.map(({ name, type }) => [name, type]))).toEqual({
      n: 'int64',
      total: 'float64',
      items: 'int64',
      average: 'float64',
      least: 'int32',
      latest_payment: 'timestamp',
      spread: 'float64',
      deviation: 'float64',
      shops: 'int64',
      first_shop: 'string',
      last_success: 'bool',
    })
    expect(view.emptyValues).toEqual([0, 0, 0, null, null, null, null, null, 0, null, null])
    expect(view.everyMicros).toBe(day)
    expect(view.events.keyFields.map(({ name }) => name)).toEqual(['customer_id'])
  })

  it('chooses hops by the window, takes a declared one, and resolves conditions', () => {
    const { aggregations } = batchView(
      customer,
      transactions,
      viewOf({
        a: count('30d'),
        b: count('7d'),
        c: count('1h', { where: { success: false, merchant_id: null } }),
        d: count('5s', { hop: '1s' }),
      }),
    )
    expect(aggregations.map(({ hopMicros }) => hopMicros)).toEqual([day, hour, 5 * minute, second])
    expect(aggregations[2]?.where).toMatchObject([
      { field: { name: 'success' }, value: false },
      { field: { name: 'merchant_id' }, value: null },
    ])
  })

  it('gives its features to services and shares the names of other views', () => {
    const view = viewOf({ total: sum('amount', '30d') })
    const service = featureService('risk', [view.pick('total')])
    expect(build(customer, transactions, view, service).services[0]?.vector[0]?.type).toBe('float64')
    const plain = featureView('spending', { entity: customer, features: { n: 'int64' } })
    expect(problemsOf(customer, transactions, view, plain)).toEqual([
      'feature view spending: the name "spending" is taken by fraud.ts: 2; rename one of them',
    ])
  })

  it('is refused with every problem at once where it does not fit its source', () => {
    const other = entity('shop', { joinKeys: { shop_id: 'string' } })
    const wrong = viewOf(
      {
        a: sum('merchant_id', '30d'),
        b: sum('amonut', '30d'),
        c: count('5s'),
        d: count('1h', { hop: '2h' }),
        e: count('1h', { where: { success: 'no', colour: 1, paid_at: 3 } }),
        f: min('success', '1h'),
      },
      { compute: batch({ every: '30s' }), expect: { g: { min: 0 } } },
    )
    const elsewhere = windowedView('shops', {
      entity: other,
      source: transactions,
      compute: batch({ every: '1d' }),
      features: { n: count('1d') },
    })
    expect(problemsOf(customer, other, transactions, wrong, elsewhere)).toMatchInlineSnapshot(`
      [
        "feature view spending.expect.g: feature view "spending" has no feature "g"; did you mean "a"?",
        "feature view spending.compute.every: snapshots are at least 1m apart, 30s came",
        "feature view spending.features.a: sum needs a number, the field "merchant_id" is string",
        "feature view spending.features.b: event source "transactions" has no field "amonut"; did you mean "amount"?",
        "feature view spending.features.c: a window under 1m must declare its hop, as { hop: '1s' }; 5s came without one",
        "feature view spending.features.d.hop: a hop is at most its window of 1h, 2h came",
        "feature view spending.features.e.where.success: expected true or false, "no" came",
        "feature view spending.features.e.where.colour: event source "transactions" has no field "colour"; known: "customer_id", "amount", "items", "merchant_id", "paid_at", "success"",
        "feature view spending.features.e.where.paid_at: a timestamp cannot be written down here",
        "feature view spending.features.f: min needs a number, the field "success" is bool",
        "feature view shops.entity: join key "shop_id" of entity "shop" is no field of event source "transactions"; known: "customer_id", "amount", "items", "merchant_id", "paid_at", "success"",
      ]
    `)
  })

  it('is refused for a source or an entity that is not exported', () => {
    expect(problemsOf(transactions, viewOf({ n: count('1d') }))).toMatchInlineSnapshot(`
      [
        "feature view spending.entity: there is no entity "customer" among the exported definitions; there are none",
      ]
    `)
    expect(problemsOf(customer, viewOf({ n: count('1d') }))).toMatchInlineSnapshot(`
      [
        "feature view spending.source: there is no event source "transactions" among the exported definitions; there are none",
      ]
    `)
  })

  it('is refused where an option or an aggregation cannot be read', () => {
    const view = viewOf({ a: { aggregate: 'count', field: 'amount', window: '1d' } }, { compute: {} })
    expect(problemsOf(customer, transactions, view)).toMatchInlineSnapshot(`
      [
        "feature view spending.compute.mode: compute is batch({ every: '1d' }), or another duration, or stream()",
        "feature view spending.features.a: count takes a window only, every other aggregation a field and a window",
      ]
    `)
    expect(
      problemsOf(customer, transactions, viewOf({ a: 'int64' } as never, { expectRows: {} })),
    ).toMatchInlineSnapshot(`
      [
        "feature view spending.features.a: a windowed view's feature is an aggregation: count, sum, mean, min, max, variance, stddev, countDistinct, first, last, as sum('amount', '30d')",
        "feature view spending.expectRows: an expected row count has min, max or both",
      ]
    `)
  })
})

describe('a streaming view', () => {
  it('has no step, no schedule and no table, and its source looks events up by its keys', () => {
    const registry = build(
      customer,
      transactions,
      viewOf({ n: count('1h'), total: sum('amount', '1h') }, { compute: stream(), online: false, ttl: '1h' }),
    )
    expect(registry.views[0]).toMatchObject({
      kind: 'STREAM',
      source: null,
      emptyValues: [0, 0],
      schedule: { batch: null, materialize: null },
    })
    expect(registry.eventSources[0]?.indexedKeys).toEqual([['customer_id']])
  })

  it('is refused with what only rows have, and with actions that come too late', () => {
    const mapped = { ...transactions, table: 'shop.transactions' }
    const wrong = viewOf(
      { n: count('1h', { expect: { max: 5, action: 'reject' } }) },
      { compute: stream(), schedule: { batch: '0 0 * * *' }, expectRows: { min: 1 } },
    )
    expect(problemsOf(customer, mapped, wrong)).toMatchInlineSnapshot(`
      [
        "feature view spending.schedule: a streaming feature view is never run; leave its schedule out",
        "feature view spending.expectRows: a streaming feature view has no rows that could be counted",
        "feature view spending.compute: events of a mapped table cannot be followed; give event source "transactions" a topic, or compute in batch",
        "feature view spending.expect.n.action: a streamed feature can only be warned of, reject came; expect something of the event source's fields instead",
      ]
    `)
  })
})

describe('an event source', () => {
  it('resolves columns, defaults and expectations of its fields', () => {
    const [source] = build(customer, transactions).eventSources
    expect(source?.fields.find((field) => field.name === 'merchant_id')?.column).toBe('shop')
    expect(source?.fields.find((field) => field.name === 'success')?.default).toBe(true)
    expect(source?.fields.find((field) => field.name === 'amount')?.expectation?.action).toBe('quarantine')
  })

  it('is refused with every problem at once', () => {
    const wrong = eventSource('clicks', {
      eventTimestamp: 'at',
      timezone: 'Europe/Bremen',
      topic: 'clicks',
      table: 'clicks',
      fields: { customer_id: 'int64' },
    })
    expect(problemsOf(customer, wrong)).toMatchInlineSnapshot(`
      [
        "event source clicks.timezone: a timezone is a name of the IANA database, as UTC or Europe/Berlin",
        "event source clicks: an event source has a topic or a table, not both: a mapped table is never written",
      ]
    `)
    const unfit = eventSource('clicks', {
      eventTimestamp: 'at',
      fields: {
        offset: 'int64',
        n: { type: 'int32', default: 'many', expect: { maxAge: '1h' } },
        when: { type: 'timestamp', default: 5 },
      },
      columns: { m: 'n' },
      expect: { k: { min: 0 }, n: { min: 0 } },
    })
    expect(problemsOf(customer, unfit)).toMatchInlineSnapshot(`
      [
        "event source clicks.expect.k: event source "clicks" has no field "k"; did you mean "n"?",
        "event source clicks.columns.m: event source "clicks" has no field "m"; did you mean "n"?",
        "event source clicks.fields.offset: "offset" is a column that every table of stored events has; rename it",
        "event source clicks.fields.n: field "n" has an expectation of its own; keep one of the two",
        "event source clicks.fields.n.expect.maxAge: an event's age at its import is no property of the event; expect maxAge of a feature",
        "event source clicks.fields.n.default: expected a 32-bit integer, "many" came",
        "event source clicks.fields.when.default: a timestamp cannot be written down here",
      ]
    `)
    expect(
      problemsOf(customer, { ...unfit, fields: { tags: 'string[]' }, columns: {}, expect: {} }),
    ).toMatchInlineSnapshot(`
      [
        "event source clicks.fields.tags: a field is a type (int32, int64, float32, float64, string, bool, timestamp, bytes, uuid, decimal(n) with n from 0 to 9) or { type, description, default, expect }",
      ]
    `)
  })

  describe('with a retention', () => {
    const clicksStored = (retention: string) =>
      eventSource('clicks', { eventTimestamp: 'at', retention, fields: { customer_id: 'int64' } })
    const recent = windowedView('recent', {
      entity: customer,
      source: clicksStored('1d'),
      compute: stream(),
      features: { far: count('25h', { hop: '24h' }), near: count('26h', { hop: '1h' }) },
    })
    const daily = windowedView('daily', {
      entity: customer,
      source: clicksStored('1d'),
      compute: batch({ every: '2d' }),
      features: { n: count('30d') },
    })

    it('stores events as long as its views need them at least', () => {
      expect(build(customer, clicksStored('49h'), recent).eventSources[0]?.retentionMicros).toBe(49 * hour)
      expect(build(customer, transactions).eventSources[0]?.retentionMicros).toBe(null)
      expect(problemsOf(customer, clicksStored('33d'), recent, daily)).toEqual([])
      expect(problemsOf(customer, clicksStored('48h'), recent, daily)).toMatchInlineSnapshot(`
        [
          "event source clicks.retention: feature view "recent" needs events of the last 49h (its longest window and hop), a retention of 2d came",
          "event source clicks.retention: feature view "daily" needs events of the last 33d (its longest window, its hop and \`every\`), a retention of 2d came",
        ]
      `)
    })

    it('is refused where it is no duration, or the table is another one', () => {
      expect(problemsOf(customer, clicksStored('0d'))).toMatchInlineSnapshot(`
        [
          "event source clicks.retention: a duration is a whole number above 0 and a unit, as 250ms, 30s, 5m, 1h or 90d",
        ]
      `)
      expect(problemsOf(customer, { ...clicksStored('400d'), table: 'web.clicks' })).toMatchInlineSnapshot(`
        [
          "event source clicks: a retention drops stored events; a mapped table is never written",
        ]
      `)
    })
  })
})

describe('a view filled from files', () => {
  it('stands in a table of the gateway, and refuses a schedule for what it does not compute', () => {
    const source = fileSource('scores', { eventTimestamp: 'at', columns: { score: 'Score' } })
    const view = featureView('scores', { entity: customer, source, features: { score: 'float64' } })
    expect(build(customer, view).views[0]).toMatchObject({ source: null, files: { name: 'scores' } })
    expect(problemsOf(customer, { ...view, schedule: { batch: '0 0 * * *' } })).toEqual([
      'feature view scores.schedule.batch: only windowed views are computed in batch; schedule materialize, or nothing',
    ])
  })
})
