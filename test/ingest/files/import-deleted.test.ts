import { batch, entity, eventSource, featureView, fileSource, sum, windowedView } from 'featuregraph'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { EntityToDelete } from '../../../src/stores/deletion-store.ts'
import { postgresDeletionStore } from '../../../src/stores/postgres/deletion/deletion-store.ts'
import { at } from '../../graph/run-operation.ts'
import { type ImportWorld, importWorld } from './import-world.ts'

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const orders = eventSource('orders', {
  eventTimestamp: 'at',
  fields: {
    customer_id: 'int64',
    price: { type: 'float64', expect: { min: 0, action: 'quarantine' } },
    count: { type: 'int32', expect: { max: 9 } },
  },
})
const pair = entity('pair', { joinKeys: { shop: 'string', customer_id: 'int64' } })
const definitions = [
  customer,
  pair,
  orders,
  windowedView('spent', {
    entity: customer,
    source: orders,
    compute: batch({ every: '1d' }),
    features: { total: sum('price', '7d') },
  }),
  featureView('scores', {
    entity: pair,
    source: fileSource('score_files', { eventTimestamp: 'at', columns: { customer_id: 'who' } }),
    features: { score: 'float64' },
  }),
]
const moment = at('2026-11-10T00:00:00Z')

let world: ImportWorld
beforeAll(async () => {
  world = await importWorld(definitions)
})
afterAll(() => world?.close())

function deletionOf(id: number): EntityToDelete {
  const { views, eventSources: sources } = world.registry
  return {
    entity: { id: 'customer', name: 'customer', joinKeys: [{ name: 'customer_id', type: 'int64' }] },
    key: [id],
    views,
    sources,
  }
}
const reported = async (table: string) =>
  (
    await world.rows(
      `select count(*)::int from featuregraph.${table} where content->'key'->>'customer_id' = '1'`,
    )
  )[0]?.[0]

describe('an import after a deletion', () => {
  it('keeps nothing of the entity up to its deletion, not in the quarantine either, and all the rest', async () => {
    const deletions = postgresDeletionStore(world.pool, 'default')
    const lines = [
      'at,customer_id,price,count',
      '2026-11-09T00:00:00Z,1,5,1',
      '2026-11-09T00:00:00Z,2,5,1',
      '2026-11-09T00:00:00Z,1,-5,10',
      '2026-11-09T00:00:00Z,1,5,10',
      '2026-11-09T00:00:00Z,1,x,1',
    ]
    const first = await world.file('first.csv', lines.join('\n'))
    expect(await world.importFile('orders', first)).toMatchObject([
      { read: 5, stored: 3, deleted: 0, violations: 3 },
    ])
    expect(await reported('quarantine')).toBe(2)

    const { deletedAt } = await deletions.record(deletionOf(1), moment)
    await deletions.erase(deletionOf(1), at('2026-11-23T12:00:00Z'))
    expect(deletedAt).toBe(moment)
    expect(await reported('quarantine')).toBe(0)
    expect(await world.importFile('orders', first)).toMatchObject([{ status: 'ALREADY_IMPORTED' }])
    const second = await world.file(
      'second.csv',
      [...lines, '2026-11-10T00:00:00.000001Z,1,7,1', ''].join('\n'),
    )
    expect(await world.importFile('orders', second)).toMatchObject([
      { read: 6, stored: 2, deleted: 4, quarantined: {}, violations: 0 },
    ])
    expect(await reported('quarantine')).toBe(0)
    expect(await world.rows('select customer_id::int, price from events.orders order by 1, 2')).toEqual([
      [1, 7],
      [2, 5],
      [2, 5],
    ])
    expect(await world.rows(`select from featuregraph.violations where key[1] = '1'`)).toEqual([])
  })

  it('covers the rows of views with more join keys', async () => {
    await postgresDeletionStore(world.pool, 'default').record(deletionOf(3), moment)
    const file = await world.file(
      'scores.ndjson',
      [3, 4]
        .map((who) => JSON.stringify({ at: '2026-11-01T00:00:00Z', shop: 'a', who, score: 1 }))
        .join('\n'),
    )
    expect(await world.importFile('score_files', file)).toMatchObject([{ read: 2, stored: 1, deleted: 1 }])
    expect(await world.rows('select customer_id::int from features.scores')).toEqual([[4]])
  })

  it('that began before is waited for, and what it brought is erased', async () => {
    const deletions = postgresDeletionStore(world.pool, 'default')
    const file = await world.file(
      'slow.csv',
      [
        'at,customer_id,price,count',
        ...Array.from({ length: 30_000 }, () => '2026-11-09T00:00:00Z,5,1,1'),
      ].join('\n'),
    )
    let recorded: Promise<readonly string[]> | null = null
    const [imported] = await world.importFile('orders', file, {
      onProgress: () => {
        recorded ??= deletions.record(deletionOf(5), moment).then(({ unaware }) => unaware)
      },
    })
    const unaware = (await recorded) ?? []
    expect(unaware).toHaveLength(1)
    expect(await deletions.haveEnded(unaware)).toBe(true)
    const counts = await deletions.erase(deletionOf(5), moment)
    // Batches that came in after the record were refused already.
    const events = counts.find(({ place }) => place === 'events.orders')?.rows ?? 0
    expect(events).toBeGreaterThan(0)
    expect(imported?.stored).toBe(events)
    expect(await world.rows('select from events.orders where customer_id = 5')).toEqual([])
  })
})
