import { batch, count, entity, eventSource, featureView, fileSource, windowedView } from 'featuregraph'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readProblems } from '../../../src/ingest/quarantine/read-problems.ts'
import { retryQuarantine } from '../../../src/ingest/quarantine/retry-quarantine.ts'
import { retryTarget } from '../../../src/ingest/quarantine/retry-target.ts'
import { rowAsItCame } from '../../../src/ingest/quarantine/row-as-it-came.ts'
import { buildRegistry } from '../../../src/registry/build-registry.ts'
import type { Registry } from '../../../src/registry/registry.ts'
import { postgresDeletionStore } from '../../../src/stores/postgres/deletion/deletion-store.ts'
import { postgresEventStore } from '../../../src/stores/postgres/events/event-store.ts'
import { postgresQuarantineStore } from '../../../src/stores/postgres/quarantine/quarantine-store.ts'
import { postgresViolationStore } from '../../../src/stores/postgres/system/violation-store.ts'
import type { QuarantineStore, WayIn } from '../../../src/stores/quarantine-store.ts'
import { at } from '../../graph/run-operation.ts'
import { type ImportWorld, importedAt, importWorld } from '../files/import-world.ts'

/** `most`: what prices and scores may be at most. */
function definitionsOf(most: number, zone: string) {
  const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
  const orders = eventSource('orders', {
    topic: 'orders',
    eventTimestamp: 'ts',
    timezone: zone,
    columns: { price: 'Price' },
    fields: { customer_id: 'int64', price: { type: 'float64', expect: { max: most, action: 'quarantine' } } },
  })
  const features = {
    score: { type: 'float64', expect: { max: most, action: 'quarantine' } },
    photo: 'bytes',
    seen: 'timestamp',
  } as const
  return [
    ...[customer, orders],
    windowedView('ordered', {
      entity: customer,
      source: orders,
      compute: batch({ every: '1d' }),
      features: { n: count('7d') },
    }),
    featureView('pushed', { entity: customer, features }),
    featureView('scored', {
      entity: customer,
      source: fileSource('score_files', { eventTimestamp: 'ts', timezone: zone }),
      features,
    }),
  ]
}

const registryOf = (most: number): Registry =>
  buildRegistry(definitionsOf(most, 'Europe/Berlin').map((value, index) => ({ path: `${index}`, value })))
const day = at('2026-11-20T00:00:00Z')

describe('what is quarantined, whichever way it came', () => {
  let world: ImportWorld
  let quarantine: QuarantineStore
  const mended = registryOf(1_000)
  const page = async (cameBy: WayIn | null = null, name: string | null = null) =>
    await quarantine.page({ name, cameBy, order: 'OLDEST_FIRST', past: null, first: 100 })
  const retry = async (registry: Registry, name: string) => {
    const target = retryTarget(registry, name)
    if (target === null) throw new Error(`${name} stores nothing`)
    return await retryQuarantine(
      { quarantine, events: postgresEventStore(world.pool, 'default') },
      target,
      null,
    )
  }
  beforeAll(async () => {
    world = await importWorld(definitionsOf(10, 'Europe/Berlin'))
    quarantine = postgresQuarantineStore(world.pool, 'default')
    const csv =
      'ts,customer_id,Price\n2026-11-20T01:00:00,1,500\n2026-11-20T01:00:00Z,2,"a; price: b"\n2026-11-20T01:00:00Z,3,3\n'
    await world.importFile('orders', await world.file('orders.csv', csv))
    const row = `timestamp '2026-11-20 01:00:00' as ts, 6::bigint as customer_id, 600::double as score, '\\xAA'::blob as photo`
    const seen = `timestamp '2026-11-19 13:00:00' as seen`
    await world.importFile('score_files', await world.parquet('scores.parquet', `select ${row}, ${seen}`))
    const [orders] = world.registry.eventSources
    if (!orders) throw new Error('there is a source')
    const message = { customer_id: 4, Price: 400, ts: '2026-11-20T00:00:00Z' }
    const letter = {
      ...{ partition: 0, offset: 7, key: null, value: Buffer.from(JSON.stringify(message)), violations: [] },
      content: { key: { customer_id: 4 }, values: { price: 400 }, eventTimestamp: message.ts },
      event: { eventTimestamp: day, eventId: null, values: [4, 400] },
      reason: 'price: Value 400 above maximum 10',
    }
    const messages = { events: [], deadLetters: [letter] }
    await postgresEventStore(world.pool, 'default').storeMessages(orders, 'orders', messages, importedAt)
    const values = { score: 500, photo: Buffer.from([170]), seen: day }
    const reason = 'score: Value 500 above maximum 10'
    await postgresViolationStore(world.pool, 'default').record(
      [],
      [
        {
          view: 'pushed',
          content: { key: { customer_id: 5 }, values, eventTimestamp: day },
          reason,
          recordedAt: importedAt,
        },
      ],
    )
  })
  afterAll(() => world?.close())

  it('is counted by source or view, way in and reason without its values', async () => {
    const groups = await quarantine.groups({ name: null, cameBy: null }, 10)
    expect(groups.map(({ name, cameBy, rows, reason }) => [name, cameBy, rows, reason])).toEqual([
      ['orders', 'file', 1, 'price: Value above maximum 10'],
      [
        'orders',
        'file',
        1,
        expect.stringMatching(/^price: expected a finite number|^price: expected [^,]*$/),
      ],
      ['orders', 'message', 1, 'price: Value above maximum 10'],
      ['pushed', 'push', 1, 'score: Value above maximum 10'],
      ['scored', 'file', 1, 'score: Value above maximum 10'],
    ])
    expect(groups[0]?.newestAt).toBe(importedAt)
    expect(await quarantine.groups({ name: 'orders', cameBy: 'message' }, 10)).toHaveLength(1)
  })

  it('shows of each row where it came from, the column, its value and the reason', async () => {
    const entries = await page()
    const problems = entries.map((entry) => readProblems(world.registry, entry))
    expect(problems.map((all) => all.map(({ column, value }) => [column, value]))).toEqual([
      [['price', '500']],
      [['price', 'a; price: b']],
      [['score', 600]],
      [['price', 400]],
      [['score', 500]],
    ])
    expect(problems[3]?.[0]?.message).toBe('Value 400 above maximum 10')
    expect(entries.map(({ file, message }) => file?.row ?? message?.offset ?? null)).toEqual([
      1,
      2,
      1,
      7,
      null,
    ])
  })

  it('can be exported as it came, in the names of those who send it', async () => {
    const rows = (await page()).map((entry) => rowAsItCame(world.registry, entry))
    const scored = { score: 600, photo: 'qg==', seen: '2026-11-19T13:00:00.000000' }
    const pushed = { score: 500, photo: 'qg==', seen: '2026-11-20T00:00:00.000000Z' }
    expect(rows).toEqual([
      { ts: '2026-11-20T01:00:00', customer_id: '1', Price: '500' },
      { ts: '2026-11-20T01:00:00Z', customer_id: '2', Price: 'a; price: b' },
      { event_timestamp: '2026-11-20T01:00:00.000000', customer_id: '6', ...scored },
      { ts: '2026-11-20T00:00:00Z', customer_id: 4, Price: 400 },
      { event_timestamp: '2026-11-20T00:00:00.000000Z', customer_id: 5, ...pushed },
    ])
  })

  it('stays while it does not fit, with the reasons of today', async () => {
    const { accepted, dropped, staying } = await retry(world.registry, 'orders')
    expect([accepted, dropped, [...staying.values()]]).toEqual([0, 0, [1, 1, 1]])
    expect(await page()).toHaveLength(5)
  })

  it('is stored once when it fits, however often it is tried at once, and has left the quarantine then', async () => {
    const tries = await Promise.all([
      retry(mended, 'orders'),
      retry(mended, 'orders'),
      retry(mended, 'scored'),
    ])
    const again = [
      await retry(mended, 'pushed'),
      await retry(mended, 'pushed'),
      await retry(mended, 'orders'),
    ]
    expect([...tries, ...again].reduce((sum, { accepted }) => sum + accepted, 0)).toBe(4)
    expect((await page()).map(({ file }) => file?.row)).toEqual([2])
    const events =
      'select customer_id::int, price, event_timestamp from events.orders where price > 10 order by customer_id'
    expect(await world.rows(events)).toEqual([
      // A time of Berlin.
      [1, 500, new Date('2026-11-20T00:00:00Z')],
      [4, 400, new Date('2026-11-20T00:00:00Z')],
    ])
    // As if the file had come once more, so that a later import of it passes over the row.
    const places = `select t.topic ~ '^file:[0-9a-f]+:2$', "offset"::int from events.orders join featuregraph.event_topics as t on t.id = topic_id where customer_id = 1`
    expect(await world.rows(places)).toEqual([[true, 1]])
    const columns = `customer_id::int, score, encode(photo, 'hex'), seen, event_timestamp, created_timestamp > '2026-11-23'`
    const stored = ['aa', new Date('2026-11-20T00:00:00Z')]
    expect(await world.rows(`select ${columns} from features.scored`)).toEqual([
      [6, 600, 'aa', new Date('2026-11-19T12:00:00Z'), stored[1], true],
    ])
    expect(await world.rows(`select ${columns} from features.pushed`)).toEqual([
      [5, 500, ...stored, stored[1], true],
    ])
  })

  it('is dropped where its entity was deleted since', async () => {
    const { views, eventSources: sources } = world.registry
    const joinKeys = [{ name: 'customer_id', type: 'int64' }] as const
    const customer = { id: 'customer', name: 'customer', joinKeys }
    const deletions = postgresDeletionStore(world.pool, 'default')
    const deletion = { entity: customer, key: [8], views, sources }
    await deletions.record(deletion, importedAt)
    const content = { key: { customer_id: 8 }, values: { score: 1 }, eventTimestamp: day }
    const late = { view: 'pushed', content, reason: 'score: was too high', recordedAt: importedAt }
    await postgresViolationStore(world.pool, 'default').record([], [late])
    expect(await retry(mended, 'pushed')).toEqual({ accepted: 0, dropped: 1, staying: new Map() })
    expect(await page(null, 'pushed')).toEqual([])
  })
})
