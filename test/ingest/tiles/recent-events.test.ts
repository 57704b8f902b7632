import fc from 'fast-check'
import { count, entity, eventSource, stream, windowedView } from 'featuregraph'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { rememberingEventStore } from '../../../src/ingest/tiles/recent-events.ts'
import { buildRegistry } from '../../../src/registry/build-registry.ts'
import type { EventStore } from '../../../src/stores/event-store.ts'
import { postgresDeletionStore } from '../../../src/stores/postgres/deletion/deletion-store.ts'
import { postgresEventStore } from '../../../src/stores/postgres/events/event-store.ts'
import { eventTable } from '../../../src/stores/postgres/tables/event-table.ts'
import { at } from '../../contract/offline-store.ts'
import { createTestDatabase, type TestDatabase } from '../../services/test-database.ts'
import { testOfflineStore, testPool } from '../../services/test-pool.ts'
import { judged } from '../../world/judged.ts'

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const payments = eventSource('payments', {
  eventTimestamp: 'at',
  eventId: 'id',
  fields: { customer_id: 'int64', note: 'string' },
})
const recent = windowedView('recent', {
  entity: customer,
  source: payments,
  compute: stream(),
  features: { n: count('1h') },
})
const registry = buildRegistry([customer, payments, recent].map((value) => ({ path: 'here', value })))
const [source] = registry.eventSources
const [known] = registry.entities
if (!source || !known) throw new Error('no source')
const noon = at('2026-11-20T12:00:00Z')

let database: TestDatabase
let pool: pg.Pool
let stored: EventStore
beforeAll(async () => {
  database = await createTestDatabase()
  pool = testPool(database.url, 4)
  stored = postgresEventStore(pool, 'default')
  const offline = testOfflineStore(database.url)
  await offline.ensureTables(registry.views, registry.eventSources)
  await offline.close()
})
afterAll(async () => {
  await pool?.end()
  await database?.drop()
})

/** Counts the reads that it answers itself. */
function counted(store: EventStore): EventStore & { readonly reads: () => number } {
  let reads = 0
  return {
    ...store,
    reads: () => reads,
    read(...question) {
      reads += 1
      return store.read(...question)
    },
  }
}

describe('an event store that remembers', () => {
  const event = fc.record({
    partition: fc.integer({ min: 0, max: 1 }),
    skipped: fc.integer({ min: 0, max: 2 }),
    late: fc.integer({ min: 0, max: 20 }),
    id: fc.option(fc.constantFrom('a', 'b', 'c')),
    deadLetters: fc.boolean(),
  })

  it('answers what the one below answers, whatever it has forgotten', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(event, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 5 }),
        fc.constantFrom(0, 900, 1_000_000),
        async (batches, bytes) => {
          await pool.query(
            `truncate ${eventTable('default', source)}, featuregraph.event_positions, featuregraph.quarantine`,
          )
          const below = counted(stored)
          const store = rememberingEventStore(below, bytes)
          const next = [0, 0]
          let storedAt = noon
          for (const batch of batches) {
            storedAt += 1_000
            const placed = batch.map((one) => {
              const offset = (next[one.partition] ?? 0) + one.skipped
              next[one.partition] = offset + 1
              return { ...one, offset }
            })
            const events = placed.flatMap(({ partition, offset, late, id, deadLetters }) => {
              const values = [1, `at ${offset}`]
              return deadLetters
                ? []
                : [{ partition, offset, eventTimestamp: noon - late, eventId: id, values }]
            })
            const deadLetters = placed.flatMap(({ partition, offset, deadLetters: is }) => {
              const message = {
                partition,
                offset,
                key: null,
                value: Buffer.from('x'),
                content: {},
                event: null,
              }
              return is ? [{ ...message, reason: 'none', violations: [] }] : []
            })
            await store.storeMessages(
              source,
              'topic',
              { events: judged(events).events, deadLetters },
              storedAt,
            )
          }
          for (const { topic, partition, nextOffset } of await store.positions(source)) {
            for (const limit of [1, 100]) {
              for (const since of [null, noon - 10]) {
                // Read on from the start by both: the same events, though perhaps in other pieces.
                const readAll = async (one: EventStore) => {
                  const events = []
                  for (let offset = 0; offset < nextOffset; ) {
                    const from = { topic, partition, offset }
                    const read = await one.read(source, from, { limit, since, until: nextOffset })
                    events.push(...read.events)
                    expect(read.next).toBeGreaterThan(offset)
                    offset = read.next
                  }
                  return events
                }
                expect(await readAll(store)).toEqual(await readAll(stored))
              }
            }
          }
          if (bytes > 1_000 && batches.flat().every(({ skipped }) => skipped === 0))
            expect(below.reads()).toBe(0)
        },
      ),
      { numRuns: 40 },
    )
  })

  it('forgets all when an entity was deleted', async () => {
    const store = rememberingEventStore(stored, 1_000_000)
    await store.deletionMark()
    const one = { partition: 0, offset: 0, eventTimestamp: noon, eventId: null, values: [7, null] }
    await store.storeMessages(source, 'deleted', judged([one]), noon)
    const read = async () =>
      (
        await store.read(
          source,
          { topic: 'deleted', partition: 0, offset: 0 },
          { limit: 9, since: null, until: 1 },
        )
      ).events
    expect(await read()).toHaveLength(1)
    const deletion = { entity: known, key: [7], views: [], sources: [source] }
    const deletions = postgresDeletionStore(pool, 'default')
    await deletions.record(deletion, noon + 1)
    await deletions.erase(deletion, noon + 1)
    await store.deletionMark()
    expect(await read()).toEqual([])
  })
})
