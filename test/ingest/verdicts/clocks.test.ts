import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { formatTimestamp, type Micros } from '../../../src/definitions/timestamp.ts'
import { systemClock } from '../../../src/gateway/system-clock.ts'
import { eventPusher } from '../../../src/ingest/push/push-events.ts'
import { consumeEvents } from '../../../src/ingest/stream/consume-events.ts'
import { rememberingEventStore } from '../../../src/ingest/tiles/recent-events.ts'
import { postgresEventStore } from '../../../src/stores/postgres/events/event-store.ts'
import { eventTable } from '../../../src/stores/postgres/tables/event-table.ts'
import { memoryEventStream } from '../../oracle/memory-event-stream.ts'
import { hour, minute, openVerdictWorld, type VerdictWorld } from './verdict-world.ts'

let world: VerdictWorld
beforeEach(async () => {
  world = await openVerdictWorld()
})
afterEach(() => world?.close())

const clockAhead = (): Micros => systemClock() + 2 * hour

/** How many stored events have a moment ahead of the database's clock. */
const storedAhead = async () => {
  const { rows } = await world.pool.query<{ n: number }>(
    `select count(*)::int as n from ${eventTable('default', world.source)} where ingested_at > clock_timestamp()`,
  )
  return rows[0]?.n
}

const corrections = async () => {
  const { rows } = await world.pool.query<{ source: string; events: number }>(
    'select source, events::int from featuregraph.clock_corrections order by id',
  )
  return rows
}

describe('a gateway whose clock is two hours ahead', () => {
  const json = (id: string, at: Micros) => ({ id, at: formatTimestamp(at), customer_id: 1 })

  it('stores pushed events at the present, and refuses those from ahead of it', async () => {
    const push = eventPusher({
      ...{ events: world.events, violations: { record: async () => {} }, clock: clockAhead },
      observe: { processed: () => {} },
      reach: () => hour,
      storeFailed: (_, error) => {
        throw error
      },
    })
    const now = systemClock()
    const offered = [json('now', now), json('soon', now + 5 * minute), json('ahead', now + 110 * minute)]
    expect(
      await push(
        world.source,
        offered.map((one) => ({ json: one })),
      ),
    ).toMatchObject([{ accepted: true }, { accepted: true }, { accepted: false, code: 'EVENT_FROM_AHEAD' }])
    expect(await storedAhead()).toBe(0)
    expect(await world.bothClocks()).toEqual([2, 2])
  })

  it('stores messages at the present, and dead-letters those from ahead of it', async () => {
    const stream = memoryEventStream(systemClock)
    await stream.createTopic('payments', 1)
    const now = systemClock()
    const messages = [json('now', now), json('ahead', now + 110 * minute)]
    await stream.publish(
      'payments',
      messages.map((one) => ({ key: null, value: Buffer.from(JSON.stringify(one)) })),
    )
    const stopping = new AbortController()
    const reported: unknown[] = []
    const source = { ...world.source, topic: 'payments' }
    await consumeEvents(
      { events: world.events, stream, clock: clockAhead },
      { eventSources: [source], views: world.registry.views },
      {
        ...{ group: 'g', signal: stopping.signal, pause: sleep, onDeadLetter: () => {} },
        observe: {
          processed: (_, counts) => {
            reported.push(counts)
            stopping.abort()
          },
          behind: () => {},
          flushed: () => {},
        },
        log: { info: () => {}, warn: () => {} },
      },
    )
    expect(reported).toEqual([{ stored: 1, late: 0, deadLetters: 1 }])
    expect(await storedAhead()).toBe(0)
    const { rows } = await world.pool.query(
      'select from featuregraph.event_positions where level_at > clock_timestamp()',
    )
    expect(rows).toEqual([])
  })

  it('imports events that are known from their import as of the present', async () => {
    const now = await world.events.now()
    const file = await world.file([{ id: 'soon', at: now + 5 * minute }], now + hour)
    await world.importFile(file)
    expect(await storedAhead()).toBe(0)
  })
})

describe('a database whose clock came back', () => {
  it('has moments that lie ahead set to the present once, and tiles rebuilt, so that both clocks agree', async () => {
    const events = rememberingEventStore(postgresEventStore(world.pool, 'default'), 10_000_000)
    const now = await world.events.now()
    const store = (id: string, at: Micros, storedAt: Micros) =>
      events.storeMessages(
        world.source,
        'topic',
        {
          events: [
            {
              ...{ partition: 0, offset: Number(id), eventTimestamp: at, eventId: id },
              ...{ values: [1], violations: [] },
            },
          ],
          deadLetters: [],
        },
        storedAt,
      )
    await store('0', now - hour, now)
    // Before it is noticed: the database's clock was two hours ahead when these were stored.
    await store('1', now + 119 * minute, now + 2 * hour)
    await store('2', now - minute, now + 2 * hour)
    const unaware = { ...events, correctMoments: async () => 0 }
    await world.follow(unaware)
    expect(await world.online()).toBe(3)
    const asked = systemClock()
    expect([await world.asOf(asked, asked), await storedAhead()]).toEqual([1, 2])

    await world.follow(events)
    const later = systemClock()
    expect([await world.online(), await world.asOf(later), await world.asOf(later, later)]).toEqual([3, 3, 3])
    expect(await storedAhead()).toBe(0)
    expect(await corrections()).toEqual([{ source: 'payments', events: 2 }])
    const { rows } = await world.pool.query<{ is_live: boolean; generation: number }>(
      `select generation from featuregraph.tile_generations where state = 'LIVE' order by view_id`,
    )
    expect(rows).toEqual([{ generation: 2 }, { generation: 2 }])

    // Corrected once; what comes now takes the present.
    await world.follow(events)
    await world.live([{ id: '3', at: await world.events.now() }])
    await world.follow(events)
    expect(await corrections()).toHaveLength(1)
    expect(await storedAhead()).toBe(0)
    const end = systemClock()
    expect([await world.online(), await world.asOf(end, end)]).toEqual([4, 4])
  })

  it('is noticed by a writer of events, without streaming views too, and the snapshots of the hours become stale', async () => {
    await world.live([
      { id: 'a', at: (await world.events.now()) - minute },
      { id: 'b', at: (await world.events.now()) - minute },
    ])
    await world.pool.query(
      `update ${eventTable('default', world.source)} set ingested_at = ingested_at + interval '2 hours' where event_id = 'b';
       update featuregraph.event_positions set stored_at = stored_at + interval '2 hours';
       delete from featuregraph.event_arrivals`,
    )
    await world.live([{ id: 'c', at: (await world.events.now()) - minute }])
    expect(await storedAhead()).toBe(0)
    expect(await corrections()).toEqual([{ source: 'payments', events: 1 }])
    const { rows } = await world.pool.query<{ n: number }>(
      'select count(*)::int as n from featuregraph.event_arrivals where latest_xid is not null',
    )
    expect(rows[0]?.n).toBeGreaterThan(0)
    expect(await world.bothClocks()).toEqual([3, 3])
  })

  it('is corrected once when many notice at the same time, while events are stored', async () => {
    const stores = Array.from({ length: 4 }, () => postgresEventStore(world.pool, 'default'))
    const now = await world.events.now()
    await world.live(Array.from({ length: 200 }, (_, index) => ({ id: `old ${index}`, at: now - minute })))
    await world.pool.query(
      `update ${eventTable('default', world.source)} set ingested_at = ingested_at + interval '1 hour';
       update featuregraph.event_positions set stored_at = stored_at + interval '1 hour'`,
    )
    const writes = Array.from({ length: 12 }, (_, index) =>
      world.live([{ id: `new ${index}`, at: now - minute }], stores[index % 4]),
    )
    const checks = stores.map((store) => store.correctMoments(world.source))
    await Promise.all([...writes, ...checks])
    expect(await corrections()).toEqual([{ source: 'payments', events: 200 }])
    expect(await storedAhead()).toBe(0)
    expect(await world.bothClocks()).toEqual([212, 212])
  })
})
