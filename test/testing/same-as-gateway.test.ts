import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { formatTimestamp, type Micros } from '../../src/definitions/timestamp.ts'
import { systemClock } from '../../src/gateway/system-clock.ts'
import { materialize } from '../../src/ingest/materialize/materialize-view.ts'
import { computeSnapshots } from '../../src/ingest/snapshots/compute-snapshots.ts'
import { snapshotTimes } from '../../src/ingest/snapshots/plan-run.ts'
import { openRowLayouts } from '../../src/online/row-layouts.ts'
import { type TestWorld, testWorld } from '../../src/testing/testing.ts'
import { newProject, startTestGateway, type TestGateway } from '../server/start-test-gateway.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import * as library from './schema/library.ts'

const day: Micros = 86_400_000_000
const now = systemClock()
const ago = (days: number): string => formatTimestamp(now - days * day)

const loan = (id: number, reader: number, days: number, more: object = {}) => ({
  ...{ loan_id: `l${id}`, reader_id: reader, lent_at: ago(days), pages: 100 + id, shelf: `s${id % 3}` },
  ...more,
})
const lent = [
  ...Array.from({ length: 24 }, (_, id) => loan(id, 1 + (id % 3), 1.5 + id * 3.7)),
  loan(90, 1, 2.5, { renewed: true, pages: null }),
  loan(91, 4, 80.5),
  // Counts once: its id was there before.
  loan(3, 1, 4.5),
]
const cards = [
  {
    ...{ reader_id: 1, event_timestamp: ago(3), fee: 9.99, member_since: ago(900) },
    ...{ badge: Buffer.from('gold'), favourites: ['s1', 's2'] },
  },
  { reader_id: 1, event_timestamp: ago(12), fee: 5 },
  { reader_id: 2, event_timestamp: ago(31.5), fee: 7 },
  { reader_id: 3, event_timestamp: ago(2), fee: null },
  { reader_id: 3, event_timestamp: ago(1), fee: 1_000 },
]
const notes = [{ reader_id: 2, event_timestamp: ago(5), debts: '9007199254740993' }]
const readers = [1, 2, 3, 4, 5]
const friendOf = (reader: number): number => 6 - reader

const project = newProject()
let database: TestDatabase
let gateway: TestGateway
let world: TestWorld
beforeAll(async () => {
  database = await createTestDatabase()
  gateway = await startTestGateway({
    ...{ offlineUrl: database.url, onlineUrl: inject('redisUrl'), makeTables: false },
    settings: { SCHEMA: join(import.meta.dirname, 'schema'), WORKER: 'true', PROJECT: project },
  })
  world = testWorld(library)
  // In the world they become known when they do in the gateway.
  const storedAt = new Date()
  const created = { created_timestamp: storedAt }
  expect(await send('events/loans', lent)).toBe(lent.length)
  world.events('loans', lent, { storedAt })
  for (const [view, rows] of [
    ['reader_cards', cards],
    ['reader_notes', notes],
  ] as const) {
    const outcomes = world.rows(
      view,
      rows.map((row) => ({ ...row, ...created })),
    )
    expect(await send(`push/${view}`, rows)).toBe(outcomes.filter(({ accepted }) => accepted).length)
  }
  await backfill()
})
afterAll(async () => {
  await gateway?.close()
  await database?.drop()
})

/** What the worker would do within a minute. */
async function backfill(): Promise<void> {
  const view = gateway.gateway.registry.views.find(({ name }) => name === 'reader_months')
  if (view?.kind !== 'BATCH') throw new Error('the library has no batch view')
  const times = snapshotTimes(view, { from: now - 110 * day, to: now, everyMicros: day })
  const options = { createdAfterMicros: null, onWait: () => {}, onProgress: () => {} }
  const { registry, stores } = gateway.gateway
  const layouts = await openRowLayouts(project, registry, stores.registry, stores.guardRecord)
  const targets = { ...stores, ...layouts, clock: systemClock }
  await computeSnapshots(targets, view, { kind: 'TIMES', times }, options)
  const newMarker = randomUUID
  const sleep = async (): Promise<void> => {}
  await materialize(targets, view, { range: null, newMarker, sleep, ...options })
}

/** How many were accepted. */
async function send(path: string, lines: readonly object[]): Promise<number> {
  const asSent = (_: string, value: unknown): unknown =>
    typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer'
      ? Buffer.from((value as unknown as { data: number[] }).data).toString('base64')
      : value
  const answer = await fetch(`${gateway.url}/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: lines.map((line) => JSON.stringify(line, asSent)).join('\n'),
  })
  const last = (await answer.text()).trim().split('\n').at(-1) ?? ''
  return JSON.parse(last).accepted
}

const views = {
  reader_loans: 'loans30d pages30d pagesMean30d renewals30d shelves30d lastShelf30d',
  reader_months: 'loans60d pages60d',
  reader_cards: 'fee memberSince badge favourites',
  reader_notes: 'debts',
} as const

const camel = (name: string): string => name.replace(/_([a-z0-9])/g, (_, next: string) => next.toUpperCase())

/** As the gateway answers it. */
async function fromGateway(asOf: string | null): Promise<unknown> {
  const fields = Object.entries(views).map(
    ([view, names]) => `${camel(view)} { ${names} freshness { status } }`,
  )
  const keys = readers.map((id) => `{ readerId: ${id}, distance: ${id}.5 }`).join(', ')
  const pairs = readers.map((id) => `{ readerId: ${id}, friendId: ${friendOf(id)} }`).join(', ')
  const { data, errors } = await gateway.ask(
    `query ($asOf: Timestamp) {
      readers(readerIds: [${readers.join(', ')}], asOf: $asOf) { ${fields.join(' ')} }
      returnsV1(keys: [${keys}], asOf: $asOf) { names vector statuses defaulted }
      lendingV1(keys: [${pairs}], asOf: $asOf) { names vector statuses defaulted }
    }`,
    { asOf },
  )
  return errors ?? data
}

/** The same, of the world. */
async function fromWorld(at: string, isNow: boolean): Promise<unknown> {
  const ask = isNow ? world.online : world.asOf
  const answers = await Promise.all(
    Object.keys(views).map(async (view) => {
      const found = await ask({ view, keys: readers.map((id) => ({ reader_id: id })), at })
      return [camel(view), found.map(({ features, status }) => rowOf(features, status))] as const
    }),
  )
  const serve = async (service: typeof library.returnsV1, keys: readonly object[]) =>
    (await ask({ service, at, keys: keys.map((key) => ({ ...key })) })).map(
      ({ names, vector, statuses, defaulted }) => ({
        ...{ names, vector, statuses: names.map((name) => statuses[name]), defaulted },
      }),
    )
  return {
    readers: readers.map((_, index) =>
      Object.fromEntries(answers.map(([view, found]) => [view, found[index]])),
    ),
    returnsV1: await serve(
      library.returnsV1,
      readers.map((id) => ({ reader_id: id, distance: id + 0.5 })),
    ),
    lendingV1: await serve(
      library.lendingV1,
      readers.map((id) => ({ reader_id: id, friend_id: friendOf(id) })),
    ),
  }
}

function rowOf(features: Readonly<Record<string, unknown>>, status: string): object {
  const shown = Object.entries(features).map(([name, value]) => [
    camel(name),
    value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value,
  ])
  return { ...Object.fromEntries(shown), freshness: { status } }
}

describe('a test world answers as the gateway over the same events and rows', () => {
  it('for now, once everything has come online', async () => {
    await expect
      .poll(() => fromGateway(null), { interval: 500 })
      .toEqual(await fromWorld(formatTimestamp(systemClock()), true))
  })

  it.each([0.2, 4, 29.9, 70])('as of %s days ago', async (days) => {
    expect(await fromGateway(ago(days))).toMatchObject((await fromWorld(ago(days), false)) as object)
  })
})
