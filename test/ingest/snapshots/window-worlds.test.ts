import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Decimal, scaledOf } from '../../../src/definitions/decimal.ts'
import type { EntityKey, KeyValue, ScalarValue } from '../../../src/definitions/value.ts'
import { decimalDigits, isDecimal } from '../../../src/definitions/value-type.ts'
import type { BatchView } from '../../../src/registry/registry.ts'
import { postgresEventStore } from '../../../src/stores/postgres/events/event-store.ts'
import { eventTable } from '../../../src/stores/postgres/tables/event-table.ts'
import { managedTable } from '../../../src/stores/postgres/tables/feature-table.ts'
import { asOfJoin } from '../../contract/offline-store.ts'
import { expectSnapshots } from '../../stores/window-sql/compare-snapshots.ts'
import type { WrittenRow } from '../../stores/window-sql/exported-files.ts'
import {
  goldenCases,
  type PlacedEvent,
  randomWorld,
  type WindowWorld,
  worldOf,
} from '../../stores/window-sql/window-world.ts'
import { judged } from '../../world/judged.ts'
import { type BatchBench, type BatchWorld, openBatchBench } from './batch-world.ts'

let bench: BatchBench
beforeAll(async () => {
  bench = await openBatchBench()
})
afterAll(() => bench?.close())

/** As acceptance leaves them: what is no finite number is null. */
function storedValue(value: ScalarValue | null): ScalarValue | null {
  return typeof value === 'number' && !Number.isFinite(value) ? null : value
}

async function store({ source }: BatchWorld, events: readonly PlacedEvent[]): Promise<void> {
  const log = postgresEventStore(bench.pool, 'default')
  for (const topic of new Set(events.map((event) => event.topic))) {
    const messages = events
      .filter((event) => event.topic === topic)
      .map(({ at, partition, offset, fields }) => ({
        ...{ partition, offset, eventTimestamp: at, eventId: null },
        values: source.fields.map(({ name }) => storedValue(fields[name] ?? null)),
      }))
    await log.storeMessages(source, topic, judged(messages), await log.now())
  }
  const uncounted = events.filter(({ counts }) => !counts).map(({ offset }) => offset)
  await bench.pool.query(
    `update ${eventTable('default', source)} set counts = false where "offset" = any($1::bigint[])`,
    [uncounted],
  )
}

/** What the snapshots of the given times answer, in the form in which the rows of files are compared. */
async function snapshotsOf({ view, times, events }: WindowWorld): Promise<readonly WrittenRow[]> {
  const names = view.entity.joinKeys.map(({ name }) => name)
  const texts = names.map((name) => `"${name}"::text`)
  const { rows } = await bench.pool.query<{ key: readonly string[]; time: string; closing: boolean }>(
    `select distinct on (key, event_timestamp) array[${texts.join(', ')}] as key,
       (extract(epoch from event_timestamp) * 1000000)::bigint as time, coalesce(closing, false) as closing
     from ${managedTable('default', view)}
     order by key, event_timestamp, created_timestamp desc nulls last, row_id desc`,
  )
  const keys = new Map(
    events.map(({ fields }) => {
      const key: EntityKey = names.map((name) => fields[name] as KeyValue)
      return [JSON.stringify(key.map(String)), key] as const
    }),
  )
  const found = rows
    .map(({ key, time, closing }) => ({ key: JSON.stringify(key), time: Number(time), closing }))
    // A key that was closed before a late event opened and closed it earlier stands closed twice.
    .filter(({ key, closing }, place, all) => {
      const before = all[place - 1]
      return !(closing && before?.key === key && before.closing)
    })
    .filter(({ time }) => times.includes(time))
  const asked = found.map(({ key, time }) => ({ key: keys.get(key) ?? [], asOf: time, knownAt: null }))
  const [answers = []] = await asOfJoin(bench.offline, { views: [view], rows: asked })
  return found.map((row, place) => {
    expect(answers[place]).toMatchObject({ eventTimestamp: row.time, closing: row.closing })
    return { ...row, values: namedValues(view, answers[place]?.values ?? []) }
  })
}

function namedValues({ features }: BatchView, values: readonly unknown[]): WrittenRow['values'] {
  return Object.fromEntries(
    features.map(({ name, type }, index) => {
      const value = values[index] ?? null
      return [
        name,
        value !== null && isDecimal(type) ? scaledOf(value as Decimal, decimalDigits(type)) : value,
      ]
    }),
  )
}

/** How a history came about: which of the events were late, and which snapshots had been computed before them. */
const arbitraryCourse = fc.record({ early: fc.nat({ max: 4 }), computed: fc.nat({ max: 4 }) })

describe('snapshots by Postgres are those of the oracle, whatever was late, and the same again writes nothing', () => {
  const run = async (
    world: WindowWorld,
    { early, computed }: { readonly early: number; readonly computed: number },
  ): Promise<void> => {
    const own = await bench.makeWorld(...world.definitions)
    const { times, previous, events } = world
    const all = [...(previous === null ? [] : [previous]), ...times]
    const inTime = Math.round((events.length * early) / 4)
    await store(own, events.slice(0, inTime))
    // The last ones first: what a history closes must not depend on the order.
    const first = all.toReversed().slice(0, Math.round((all.length * computed) / 4))
    if (first.length > 0) await own.at(...first)
    await store(own, events.slice(inTime))
    await own.at(...all)
    await own.compute({ kind: 'STALE', since: null })
    expectSnapshots(world, await snapshotsOf(world), { hasTolerances: false })
    expect(await own.at(...all)).toMatchObject({ written: 0 })
  }

  it.each(Object.entries(goldenCases))('for the views of the committed script %s', async (_, given) => {
    await fc.assert(fc.asyncProperty(worldOf(given, 150), arbitraryCourse, run), {
      numRuns: 1,
      endOnFailure: true,
    })
  })

  it('for any windows, hops, times and events', async () => {
    await fc.assert(fc.asyncProperty(randomWorld, arbitraryCourse, run), { numRuns: 15, endOnFailure: true })
  })
})
