import { eventSource } from 'featuregraph'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Micros } from '../../../src/definitions/timestamp.ts'
import type { ScalarValue } from '../../../src/definitions/value.ts'
import { buildRegistry } from '../../../src/registry/build-registry.ts'
import type { EventSource } from '../../../src/registry/registry.ts'
import { countedAt, counts } from '../../../src/stores/postgres/events/counted-events.ts'
import { postgresEventRetention } from '../../../src/stores/postgres/events/event-retention.ts'
import { at } from '../../contract/offline-store.ts'
import { type ExportWorld, exportWorld } from './export-world.ts'

const noon = at('2026-11-20T12:00:00Z')
const minute = 60_000_000
const day = 1_440 * minute

let world: ExportWorld
beforeAll(async () => {
  world = await exportWorld()
})
afterAll(() => world.close())

const fields = {
  customer: 'int64',
  shop: 'string',
  amount: 'decimal(2)',
  rate: 'float32',
  good: 'bool',
  seen: 'timestamp',
  tag: 'bytes',
} as const

async function sourceOf(name: string, options: object = {}): Promise<EventSource> {
  const definition = eventSource(name, { topic: name, eventTimestamp: 'at', fields, ...options })
  const [source] = buildRegistry([{ path: name, value: definition }]).eventSources
  if (source === undefined) throw new Error('no source')
  if (source.table === null) await world.offline.ensureTables([], [source])
  return source
}

interface TestSale {
  readonly at: Micros
  readonly id?: string
  readonly customer?: number
  readonly values?: readonly (ScalarValue | null)[]
}

/** Stores events at a moment, at the end of a topic's log. */
async function store(
  source: EventSource,
  storedAt: Micros,
  sales: readonly TestSale[],
  topic = 'log:sales',
): Promise<void> {
  const events = sales.map(({ at: eventTimestamp, id, customer = 1, values }) => ({
    ...{ eventTimestamp, eventId: id ?? null },
    values: values ?? [customer, 'a', null, null, null, null, null],
  }))
  await world.events.append(source, topic, events, storedAt)
}

const places = '_topic, _partition, _offset'

/** What is stored, as one line an event in the total order: when it counts, its own time, its place, and its verdict. */
async function stored(source: EventSource): Promise<readonly string[]> {
  const { rows } = await world.pool.query<{ line: string }>(
    `select concat_ws(' ', ${countedAt}, x.event_timestamp, x.ingested_at, t.topic, x.partition, x."offset", ${counts}) as line
     from events."${source.name}" as x join featuregraph.event_topics as t on t.id = x.topic_id
     order by ${countedAt}, t.topic collate "C", x.partition, x."offset"`,
  )
  return rows.map(({ line }) => line.replace(/ t$/, ' true').replace(/ f$/, ' false'))
}

async function exported(path: string): Promise<readonly string[]> {
  const rows = await world.read(
    path,
    `select concat_ws(' ', _counted_at, event_timestamp, _stored_at, ${places}, counts) from rows order by _counted_at, ${places}`,
  )
  return rows.map(([line]) => String(line))
}

describe('the export of stored events', () => {
  it('has every event with its values, its place and both times, filed by the day that it counts on', async () => {
    const source = await sourceOf('all_fields')
    const odd = [7, `it's "odd"\u2028, \n`, '-0.50', 0.1, false, -1, Buffer.from([0, 255])]
    await store(source, noon, [
      { at: noon - 1, values: odd },
      {
        at: at('1969-12-31T23:59:59.999999Z'),
        values: [null, '', '92233720368547758.07', null, true, null, null],
      },
    ])
    // Ahead of the clock that stored it, over midnight: it counts on the day before.
    const midnight = at('2026-11-21T00:00:00Z')
    await store(source, midnight - minute, [{ at: midnight + minute }], 'log:others')
    const path = world.newFolder()
    await world.exportTo(path, { kind: 'EVENTS', source })
    expect(await exported(path)).toEqual(await stored(source))
    const columns = Object.keys(fields).join(', ')
    expect(
      await world.read(path, `select ${columns} from rows where _topic = 'log:sales' order by _offset`),
    ).toEqual([
      ['7', `it's "odd"\u2028, \n`, '-0.50', '0.10000000149011612', false, '-1', '00ff'],
      [null, '', '92233720368547758.07', null, true, null, null],
    ])
    expect(await world.read(path, `select day, _topic from rows order by day`)).toEqual([
      ['1969-12-31', 'log:sales'],
      ['2026-11-20', 'log:sales'],
      ['2026-11-20', 'log:others'],
    ])
    expect(
      await world.read(path, 'select column_name, column_type from (describe from rows) limit 7'),
    ).toEqual([
      ...[
        ['customer', 'BIGINT'],
        ['shop', 'VARCHAR'],
        ['amount', 'DECIMAL(18,2)'],
        ['rate', 'FLOAT'],
      ],
      ...[
        ['good', 'BOOLEAN'],
        ['seen', 'TIMESTAMP WITH TIME ZONE'],
        ['tag', 'BLOB'],
      ],
    ])
  })

  it('has repeats of an event id with the verdict that they do not count, also those that come later', async () => {
    const source = await sourceOf('repeated', { eventId: 'id' })
    await store(source, noon, [
      { at: noon, id: 'a' },
      { at: noon + 1, id: 'b' },
      { at: noon + 2, id: 'a' },
    ])
    const path = world.newFolder()
    await world.exportTo(path, { kind: 'EVENTS', source })
    await store(source, noon + minute, [
      { at: noon + 3, id: 'b' },
      { at: noon - 3 * day, id: 'c' },
    ])
    expect((await world.exportTo(path, { kind: 'EVENTS', source })).rows).toBe(2)
    expect(await exported(path)).toEqual(await stored(source))
    expect(await world.read(path, 'select count(*) from rows where not counts')).toEqual([['2']])
  })

  it('loses the events of a deleted entity and nothing else', async () => {
    const source = await sourceOf('forgotten')
    const others = [2, 3].map((customer) => ({ customer, at: noon + customer * day }))
    await store(source, noon + 9 * day, [
      { customer: 41, at: noon },
      ...others,
      { customer: 41, at: noon + 2 * day },
    ])
    const path = world.newFolder()
    await world.exportTo(path, { kind: 'EVENTS', source })
    const keyFields = [{ name: 'customer' }]
    await world.erase({ customer: 'int64' }, [41], { sources: [{ ...source, keyFields }] })
    expect((await world.exportTo(path, { kind: 'EVENTS', source })).rows).toBe(1)
    expect(await exported(path)).toEqual(await stored(source))
    expect(await world.read(path, 'select distinct customer from rows order by 1')).toEqual([['2'], ['3']])
  })

  it('leaves out the events of an entity whose deletion is recorded and not erased yet', async () => {
    const source = await sourceOf('pending')
    await store(source, noon + 9 * day, [
      { customer: 61, at: noon },
      { customer: 2, at: noon },
    ])
    const keyFields = [{ name: 'customer' }]
    await world.recordDeletion({ customer: 'int64' }, [61], { sources: [{ ...source, keyFields }] })
    const path = world.newFolder()
    await world.exportTo(path, { kind: 'EVENTS', source })
    expect(await world.read(path, 'select customer from rows')).toEqual([['2']])
  })

  it('loses the months that retention has dropped, and leaves out what comes of them later', async () => {
    const source = await sourceOf('expired')
    await store(source, noon, [{ at: at('2026-09-20T00:00:00Z') }, { at: noon - 1 }])
    const path = world.newFolder()
    await world.exportTo(path, { kind: 'EVENTS', source })
    await postgresEventRetention(world.pool, 'default').expire(source, at('2026-10-01T00:00:00Z'))
    await world.exportTo(path, { kind: 'EVENTS', source })
    expect(await world.read(path, 'select day from rows')).toEqual([['2026-11-20']])
    await store(source, noon, [{ at: at('2026-09-21T00:00:00Z') }, { at: noon - 2 }])
    await world.exportTo(path, { kind: 'EVENTS', source })
    expect(await world.read(path, 'select day from rows')).toEqual([['2026-11-20'], ['2026-11-20']])
  })

  it('writes all anew where a clock that was ahead came back and times were corrected', async () => {
    const source = await sourceOf('corrected')
    const ahead = (await world.events.now()) + 30 * day
    await store(source, ahead, [{ at: ahead }])
    const path = world.newFolder()
    await world.exportTo(path, { kind: 'EVENTS', source })
    await world.events.correctMoments(source)
    await world.exportTo(path, { kind: 'EVENTS', source })
    expect(await exported(path)).toEqual(await stored(source))
    expect(await world.read(path, 'select count(*) from rows')).toEqual([['1']])
  })

  it('has of a mapped table what it declares, without places', async () => {
    await world.pool.query(`create table public.ledger (who bigint, booked timestamptz, sum numeric, known timestamptz);
      insert into public.ledger values (51, '2026-11-20 12:00Z', 1.5, '2026-11-21Z'), (52, '2026-11-22Z', 'NaN', null),
        (53, '-infinity', 1, null)`)
    const source = await sourceOf('ledger', {
      ...{ topic: undefined, table: 'public.ledger', eventTimestamp: 'booked', createdTimestamp: 'known' },
      ...{ columns: { customer: 'who', amount: 'sum' }, fields: { customer: 'int64', amount: 'decimal(2)' } },
    })
    const path = world.newFolder()
    const shown = `select customer, amount, _counted_at = event_timestamp, _stored_at, ${places}, counts from rows order by customer`
    await world.exportTo(path, { kind: 'EVENTS', source })
    expect(await world.read(path, shown)).toEqual([
      ['51', '1.50', true, String(at('2026-11-21T00:00:00Z')), null, null, null, true],
      ['52', null, true, null, null, null, null, true],
    ])
    await world.erase({ customer: 'int64' }, [51], {})
    await world.exportTo(path, { kind: 'EVENTS', source })
    expect((await world.read(path, shown)).map(([customer]) => customer)).toEqual(['52'])
  })
})
