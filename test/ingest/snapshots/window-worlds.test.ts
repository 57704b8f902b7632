import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { EntityKey, KeyValue } from '../../../src/definitions/value.ts'
import type { BatchView } from '../../../src/registry/registry.ts'
import { managedTable } from '../../../src/stores/postgres/tables/feature-table.ts'
import { asOfJoin } from '../../contract/offline-store.ts'
import { expectSnapshots, inFileForm } from '../../stores/window-sql/compare-snapshots.ts'
import type { WrittenRow } from '../../stores/window-sql/exported-files.ts'
import { storePlacedEvents } from '../../stores/window-sql/store-events.ts'
import { goldenCases, randomWorld, type WindowWorld, worldOf } from '../../stores/window-sql/window-world.ts'
import { type BatchBench, openBatchBench } from './batch-world.ts'

let bench: BatchBench
beforeAll(async () => {
  bench = await openBatchBench()
})
afterAll(() => bench?.close())

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
    features.map(({ name, type }, index) => [name, inFileForm(values[index] ?? null, type)]),
  )
}

/** How a history came about: which of the events were late, and which snapshots had been computed before them. */
const arbitraryCourse = fc.record({ early: fc.nat({ max: 4 }), computed: fc.nat({ max: 4 }) })

describe('snapshots by Postgres are those of the oracle, whatever was late, and the same again writes nothing', () => {
  const run = async (
    world: WindowWorld,
    { early, computed }: { readonly early: number; readonly computed: number },
  ): Promise<void> => {
    const { definitions, view, times, previous, events } = world
    const own = await bench.makeWorld(...definitions)
    const all = [...(previous === null ? [] : [previous]), ...times]
    const inTime = Math.round((events.length * early) / 4)
    await storePlacedEvents(bench.pool, own.source, events.slice(0, inTime))
    // The last ones first: what a history closes must not depend on the order.
    const first = all.toReversed().slice(0, Math.round((all.length * computed) / 4))
    if (first.length > 0) await own.at(...first)
    await storePlacedEvents(bench.pool, own.source, events.slice(inTime))
    await own.at(...all)
    await own.compute({ kind: 'STALE', since: null })
    // When rows became known is what files have of it; tables have their own tests.
    expectSnapshots({ definitions, view, times, previous, events }, await snapshotsOf(world), {
      hasTolerances: false,
    })
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
