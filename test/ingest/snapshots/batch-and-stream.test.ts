import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import {
  batch,
  count,
  countDistinct,
  entity,
  eventSource,
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
import { afterAll, beforeAll, expect, it } from 'vitest'
import { eventApplier } from '../../../src/ingest/tiles/apply-events.ts'
import { openRowLayouts } from '../../../src/online/row-layouts.ts'
import { viewReader } from '../../../src/online/view-reader.ts'
import type { ViewRow } from '../../../src/online/view-row.ts'
import { memoryOnlineStore } from '../../../src/stores/memory/online-store.ts'
import { onlineKeySuffix } from '../../../src/stores/online-value/online-key.ts'
import { postgresEventStore } from '../../../src/stores/postgres/events/event-store.ts'
import { postgresRegistryStore } from '../../../src/stores/postgres/system/registry-store.ts'
import { arbitraryDecimal } from '../../contract/arbitrary-value.ts'
import { asOfJoin } from '../../contract/offline-store.ts'
import { wholeGuardRecord } from '../../oracle/memory-guard-record.ts'
import { type BatchBench, day, hour, minute, monday, openBatchBench } from './batch-world.ts'

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const sales = eventSource('sales', {
  eventTimestamp: 'at',
  fields: {
    customer_id: 'int64',
    amount: 'float64',
    units: 'int32',
    shop: 'string',
    paid: 'bool',
    price: 'decimal(2)',
    till: 'uuid',
  },
})
/** One declaration, computed in both ways. */
const declared = {
  entity: customer,
  source: sales,
  features: {
    n: count('1d'),
    n_week: count('7d'),
    unpaid: count('7d', { where: { paid: false } }),
    total: sum('amount', '7d'),
    units: sum('units', '1d'),
    average: mean('amount', '7d'),
    least: min('amount', '1d'),
    most: max('units', '7d'),
    spread: variance('amount', '7d'),
    deviation: stddev('amount', '1d', { hop: '5m' }),
    shops: countDistinct('shop', '7d'),
    first_shop: first('shop', '7d'),
    last_shop: last('shop', '1d'),
    price_sum: sum('price', '7d'),
    price_mean: mean('price', '7d'),
    price_least: min('price', '1d'),
    price_most: max('price', '7d'),
    price_first: first('price', '7d'),
    price_last: last('price', '1d'),
    price_variance: variance('price', '7d'),
    price_deviation: stddev('price', '7d'),
    prices: countDistinct('price', '7d'),
    of_one_price: count('7d', { where: { price: '0.10' } }),
    tills: countDistinct('till', '7d'),
    last_till: last('till', '7d'),
  },
}

let bench: BatchBench
beforeAll(async () => {
  bench = await openBatchBench()
})
afterAll(async () => {
  await bench?.close()
})

const tills = ['123e4567-e89b-12d3-a456-426614174000', 'ffffffff-ffff-4fff-bfff-ffffffffffff']
const sale = fc.record({
  id: fc.integer({ min: 1, max: 3 }),
  sinceMidnight: fc.oneof(
    fc.integer({ min: 0, max: day - 1 }),
    fc.constantFrom(0, 1, hour, 5 * minute, day - 1, day - hour),
  ),
  amount: fc.option(fc.integer({ min: -5_000, max: 5_000 }).map((cents) => cents / 100)),
  units: fc.option(fc.integer({ min: 0, max: 9 })),
  shop: fc.option(fc.constantFrom('a', 'b', 'c')),
  paid: fc.option(fc.boolean()),
  price: fc.option(fc.oneof(fc.constant(0.1), arbitraryDecimal(2))),
  till: fc.option(fc.constantFrom(...tills)),
})

function expectSame(left: ViewRow, right: ViewRow): void {
  expect(left.$status).toBe(right.$status)
  const [one, two] = [left, right] as unknown as readonly Readonly<Record<string, unknown>>[]
  for (const { graphqlName } of left.$view.features) {
    const [a, b] = [one?.[graphqlName], two?.[graphqlName]]
    // Of decimals every bit is the same, also of what is no decimal any more.
    if (typeof a === 'number' && typeof b === 'number' && !graphqlName.startsWith('price'))
      expect(a, graphqlName).toBeCloseTo(b, 6)
    else expect(a, graphqlName).toEqual(b)
  }
}

it('one declaration gives the same numbers in batch and on the stream, at the times of its snapshots', async () => {
  let present = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(sale, { maxLength: 8 }), { minLength: 2, maxLength: 9 }),
      async (days) => {
        const streamed = windowedView('streamed', { ...declared, compute: stream() })
        const snapshots = windowedView('snapshots', { ...declared, compute: batch({ every: '1d' }) })
        const world = await bench.makeWorld(customer, sales, streamed, snapshots)
        await bench.pool.query('truncate featuregraph.event_positions')
        const events = postgresEventStore(bench.pool, 'default')
        const online = memoryOnlineStore(() => world.time.now)
        const registered = postgresRegistryStore(bench.pool, 'default')
        const layouts = await openRowLayouts(randomUUID(), world.registry, registered, wholeGuardRecord())
        const tiled = world.registry.views.find(({ name }) => name === 'streamed')
        if (tiled?.kind !== 'STREAM') throw new Error('no streaming feature view')
        const { fingerprint } = layouts.tiledView(tiled)
        const applier = eventApplier(
          { events, online, clock: () => world.time.now },
          { view: tiled, prefix: 'f:', fingerprint },
          { maxEntries: 100, eventsAtOnce: 5 },
        )
        const reader = viewReader(tiled, layouts.layout(tiled), layouts.history)
        const batchReader = viewReader(world.view, layouts.layout(world.view), layouts.history)
        for (const [index, of] of days.entries()) {
          const midnight = monday + index * day
          const snapshot = midnight + day
          for (const { id, sinceMidnight, amount, units, shop, paid, price, till } of of) {
            const eventTimestamp = midnight + sinceMidnight
            const values = [id, amount, units, shop, paid, price, till]
            await events.append(
              world.source,
              'log:sales',
              [{ eventTimestamp, eventId: null, values }],
              snapshot - 1,
            )
          }
          world.time.now = snapshot + minute
          await world.at(snapshot)
          while (!(await applier.applyNext(await events.positions(world.source))).caughtUp) {
            // Until nothing is left.
          }
          for (const id of [1, 2, 3]) {
            const rows = [{ key: [id], asOf: snapshot, knownAt: null }]
            const [then] = await asOfJoin(bench.offline, { views: [tiled], rows })
            const [value = null] = (await online.readMany([`f:${onlineKeySuffix([id])}`])).rows
            const inBatch = batchReader.readOffline(await world.asOf([id], snapshot), snapshot, null)
            expectSame(inBatch, reader.readOffline(then?.[0] ?? null, snapshot, null))
            expectSame(inBatch, reader.readPacked(value, snapshot, null))
            if (inBatch.$status === 'PRESENT') present += 1
          }
        }
      },
    ),
    { numRuns: 8 },
  )
  expect(present).toBeGreaterThan(20)
})
