import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { entity } from '../../../src/definitions/entity.ts'
import { eventSource } from '../../../src/definitions/event-source.ts'
import { featureView } from '../../../src/definitions/feature-view.ts'
import { count } from '../../../src/definitions/featuregraph.ts'
import { batch, windowedView } from '../../../src/definitions/windowed-view.ts'
import { recordedNames } from '../../../src/registry/recorded-names.ts'
import { storeEvents } from '../../oracle/store-events.ts'
import { type EvolvingWorld, openEvolvingWorld } from './evolving-world.ts'

const second = 1_000_000
const day = 86_400 * second

/** Customers 1 and 2 are deleted by the first test. */
const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const client = entity('client', { joinKeys: { customer_id: 'int64' }, renamedFrom: 'customer' })

describe('rows that were stored before', () => {
  let world: EvolvingWorld

  beforeAll(async () => {
    world = await openEvolvingWorld()
  })
  afterAll(() => world?.close())

  it('answer as they did after their view, its entity and its features are renamed, and a deletion stands', async () => {
    const now = world.time.now
    await world.apply(
      customer,
      featureView('trips', { entity: customer, features: { trips: 'int32', city: 'string' } }),
    )
    for (const id of [1, 2]) await world.push('trips', [id], now - second, [id, 'Oslo'])
    await world.push('trips', [1], now - 3 * second, [9, null])
    await world.remove('customer', [2])
    const renamed = featureView('rides', {
      ...{ entity: client, renamedFrom: 'trips' },
      features: {
        town: { type: 'string', renamedFrom: 'city' },
        rides: { type: 'int32', renamedFrom: 'trips' },
      },
    })
    await world.apply(client, renamed)
    const moments = [now, now - 2 * second].flatMap((asOf) => [1, 2].map((id) => ({ key: [id], asOf })))
    expect(await world.asOf('rides', moments)).toEqual([
      { rides: 1, town: 'Oslo' },
      'NOT_FOUND',
      { rides: 9, town: null },
      'NOT_FOUND',
    ])
    expect(await world.online('rides', [[1], [2]])).toEqual([{ rides: 1, town: 'Oslo' }, 'NOT_FOUND'])
    expect(await world.push('rides', [2], now - second, ['Bergen', 5])).toBe(false)
    const counts = (await world.remove('client', [1])).counts
    expect(counts).toContainEqual({ place: 'features.trips', rows: 2 })
    expect(await world.online('rides', [[1]])).toEqual(['NOT_FOUND'])
  })

  it('are read in the wider type with newer ones, also of the same time, and are null where a narrower one cannot hold them', async () => {
    world.forget()
    const now = world.time.now
    const of = (n: 'int32' | 'int64', x: 'float32' | 'float64') =>
      featureView('levels', { entity: customer, features: { n, x } })
    const tenth = Math.fround(0.1)
    await world.apply(customer, of('int32', 'float32'))
    for (const id of [11, 12, 13]) await world.push('levels', [id], now - second, [7, tenth])
    await world.apply(customer, of('int64', 'float64'))
    await world.push('levels', [11], now - second, [2 ** 40, 0.1])
    await world.push('levels', [12], now - second, [null, 0.1])
    const keys = [[11], [12], [13]]
    const wide = [
      { n: 2 ** 40, x: 0.1 },
      { n: null, x: 0.1 },
      { n: 7, x: tenth },
    ]
    expect(
      await world.asOf(
        'levels',
        keys.map((key) => ({ key, asOf: now })),
      ),
    ).toEqual(wide)
    expect(await world.online('levels', keys)).toEqual(wide)
    world.outOfRange.length = 0
    await world.apply(customer, of('int32', 'float32'))
    const narrow = [
      { n: null, x: tenth },
      { n: null, x: tenth },
      { n: 7, x: tenth },
    ]
    expect(
      await world.asOf(
        'levels',
        keys.map((key) => ({ key, asOf: now })),
      ),
    ).toEqual(narrow)
    expect(world.outOfRange).toEqual(['levels'])
    expect(await world.online('levels', keys)).toEqual(narrow)
  })

  it('have null for a feature that is added, and their values again for one that was removed', async () => {
    world.forget()
    const now = world.time.now
    const of = (features: Parameters<typeof featureView>[1]['features']) =>
      featureView('places', { entity: customer, features })
    await world.apply(customer, of({ city: 'string', n: 'int32' }))
    for (const id of [11, 12]) await world.push('places', [id], now - second, ['Oslo', 1])
    await world.apply(customer, of({ open: 'bool', n: 'int32' }))
    const without = { open: null, n: 1 }
    expect(await world.online('places', [[11]])).toEqual([without])
    expect(await world.asOf('places', [{ key: [11], asOf: now }])).toEqual([without])
    await world.push('places', [12], now, [true, 2])
    await world.apply(customer, of({ open: 'bool', n: 'int32', city: 'string' }))
    const back = [
      { open: null, n: 1, city: 'Oslo' },
      { open: true, n: 2, city: null },
    ]
    expect(await world.online('places', [[11], [12]])).toEqual(back)
    expect(
      await world.asOf(
        'places',
        [11, 12].map((id) => ({ key: [id], asOf: now })),
      ),
    ).toEqual(back)
  })

  it('are gone with their entity also where their view was removed when it was deleted', async () => {
    world.forget()
    const now = world.time.now
    const gone = featureView('gone', { entity: customer, features: { n: 'int32' } })
    const other = featureView('stays', { entity: customer, features: { n: 'int32' } })
    await world.apply(customer, gone, other)
    for (const id of [21, 22]) await world.push('gone', [id], now - second, [id])
    await world.apply(customer, other)
    const { generations } = world.stores
    const tiles = { viewId: 'gone', fingerprint: 1 }
    await generations.begin(tiles, 1, now)
    await generations.goLive(tiles, 1, now)
    const { counts } = await world.remove('customer', [21])
    expect(counts).toContainEqual({ place: 'features.gone', rows: 1 })
    expect(await generations.list()).toMatchObject([{ ...tiles, state: 'RETIRED' }])
    await world.apply(customer, gone, other)
    const keys = [[21], [22]]
    const answers = ['NOT_FOUND', { n: 22 }]
    expect(
      await world.asOf(
        'gone',
        keys.map((key) => ({ key, asOf: now })),
      ),
    ).toEqual(answers)
    // Under new keys, which are filled before they are read.
    expect(await world.online('gone', keys)).toEqual(['NOT_FOUND', 'NOT_FOUND'])
    await world.materialize('gone')
    expect(await world.online('gone', keys)).toEqual(answers)
  })

  it('of snapshots, and all that is recorded of them, stay with a renamed view', async () => {
    world.forget()
    const now = world.time.now
    const orders = eventSource('orders', {
      eventTimestamp: 'at',
      fields: { customer_id: 'int64', price: 'float64' },
    })
    const rules = { n: { max: 1, action: 'warn' } } as const
    const before = windowedView('spent', {
      ...{ entity: customer, source: orders, compute: batch({ every: '1d' }) },
      features: { n: count('7d') },
      expect: rules,
    })
    const after = windowedView('paid', {
      ...{ entity: client, source: orders, compute: batch({ every: '1d' }), renamedFrom: 'spent' },
      features: { orders: count('7d', { renamedFrom: 'n' }) },
    })
    await world.apply(customer, orders, before)
    const { events } = Object(world.viewOf('spent'))
    const event = { at: now - 2 * day, fields: { customer_id: 1, price: 5 } }
    await storeEvents(world.pool, events, 'orders', [event, event])
    const snapshot = Math.floor(now / day) * day
    await world.compute('spent', snapshot)
    await world.materialize('spent')
    await world.apply(client, orders, after)
    expect(await world.asOf('paid', [{ key: [1], asOf: now }])).toEqual([{ orders: 2 }])
    expect(await world.online('paid', [[1]])).toEqual([{ orders: 2 }])
    const view = world.viewOf('paid')
    if (view.kind !== 'BATCH') throw new Error('a batch view')
    const recorded = await world.stores.snapshots.recorded(view, { reachMicros: 0, since: null })
    expect(recorded).toMatchObject([{ asOf: snapshot, lacking: [] }])
    expect(await world.stores.runs.readWatermark(view.id)).toMatchObject({ definition: view.definition })
    const { idOf, nameOf } = recordedNames(world.registry())
    const [violation] = await world.stores.violations.page({
      view: idOf('paid'),
      since: null,
      after: null,
      first: 9,
    })
    expect(violation && { ...violation, view: nameOf(violation.view) }).toMatchObject({
      view: 'paid',
      value: '2',
    })
    const runs = await world.stores.runs.runs({
      kind: null,
      view: idOf('paid'),
      since: null,
      first: 9,
      after: null,
    })
    expect(runs.map(({ kind, view: id }) => [kind, id && nameOf(id)]).sort()).toEqual([
      ['BATCH', 'paid'],
      ['MATERIALIZE', 'paid'],
    ])
  })
})
