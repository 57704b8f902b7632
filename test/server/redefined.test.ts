import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { formatTimestamp, type Micros } from '../../src/definitions/timestamp.ts'
import { reportDefinitions } from '../../src/gateway/report-definitions.ts'
import { systemClock } from '../../src/gateway/system-clock.ts'
import { materialize } from '../../src/ingest/materialize/materialize-view.ts'
import { type ComputeBatch, computeSnapshots } from '../../src/ingest/snapshots/compute-snapshots.ts'
import { runDue, type WatchedView } from '../../src/ingest/worker/run-due.ts'
import { openRowLayouts } from '../../src/online/row-layouts.ts'
import { applyFolder } from '../services/apply-folder.ts'
import { execute } from '../services/postgres.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { newProject, startTestGateway, type TestGateway } from './start-test-gateway.ts'

const day = 86_400_000_000
const midnight = Math.floor(systemClock() / day) * day

let folder: string
let database: TestDatabase
beforeAll(async () => {
  ;[folder, database] = await Promise.all([
    mkdtemp(join(tmpdir(), 'featuregraph-redefined-')),
    createTestDatabase(),
  ])
  await execute(
    database.url,
    'create table public.bills (customer_id bigint, paid_at timestamptz, sent_at timestamptz, total float8, net float8)',
  )
})
afterAll(async () => {
  await Promise.all([rm(folder, { recursive: true, force: true }), database?.drop()])
})

interface Definitions {
  readonly view?: string
  /** Name → window. */
  readonly features: Readonly<Record<string, string>>
  /** Of the mapped view. */
  readonly total?: string
  readonly paidAt?: string
}

let folders = 0

async function schemaOf({
  view = 'daily',
  features,
  total = 'total',
  paidAt = 'paid_at',
}: Definitions): Promise<string> {
  folders += 1
  const schema = join(folder, String(folders))
  const counts = Object.entries(features).map(
    ([name, window]) => `${name}: { aggregate: 'count', window: '${window}' }`,
  )
  await mkdir(schema, { recursive: true })
  await writeFile(
    join(schema, 'world.mjs'),
    `export const customer = { kind: 'entity', name: 'customer', joinKeys: { customer_id: 'int64' } }
     export const payments = { kind: 'event-source', name: 'payments', eventTimestamp: 'at', fields: { customer_id: 'int64' } }
     export const daily = { kind: 'windowed-view', name: '${view}', entity: 'customer', source: 'payments',
       compute: { mode: 'batch', every: '1d' }, features: { ${counts.join(', ')} } }
     export const bills = { kind: 'feature-view', name: 'bills', entity: 'customer', features: { total: 'float64' },
       source: { kind: 'postgres', name: 'bills', table: 'public.bills', eventTimestamp: '${paidAt}', columns: { total: '${total}' } } }
     export const scoring = { kind: 'feature-service', name: 'scoring', features: [
       { kind: 'pick', view: '${view}', features: [${Object.keys(features).map((name) => `{ name: '${name}' }`)}] }] }`,
  )
  return schema
}

interface World extends TestGateway {
  readonly compute: (...times: readonly Micros[]) => Promise<unknown>
  readonly materialize: (view: string) => Promise<unknown>
  /** All that the worker has to do, as it logs it. */
  readonly work: () => Promise<readonly string[]>
  /** `7 PRESENT`, `null UNAVAILABLE RECOMPUTING`: online now and, by their days before midnight, as of then. */
  readonly answers: (customer: number, ...daysBefore: readonly number[]) => Promise<readonly string[]>
  readonly report: () => Promise<readonly string[]>
}

async function withWorld(
  project: string,
  definitions: Definitions,
  work: (world: World) => Promise<void>,
): Promise<void> {
  const own = { PROJECT: project, SCHEMA: await schemaOf(definitions) }
  await applyFolder({ ...own, OFFLINE_URL: database.url })
  const gateway = await startTestGateway({
    offlineUrl: database.url,
    onlineUrl: inject('redisUrl'),
    settings: { ...own, WORKER: 'false' },
  })
  const { registry, stores } = gateway.gateway
  const layouts = await openRowLayouts(project, registry, stores.registry, stores.guardRecord)
  const targets = { ...stores, ...layouts, clock: systemClock }
  const quiet = { onWait: () => {}, onProgress: () => {} }
  const name = definitions.view ?? 'daily'
  const stored = registry.views.filter((view) => view.kind !== 'STREAM')
  const viewOf = (asked: string) => {
    const found = stored.find((view) => view.name === asked)
    if (!found) throw new Error(`no view ${asked}`)
    return found
  }
  const graphqlName = name
  const feature = Object.keys(definitions.features)[0] ?? ''
  const selection = `{ ${graphqlName} { ${feature} freshness { status reason } } }`
  try {
    await work({
      ...gateway,
      compute: (...times) => {
        const view = viewOf(name)
        if (view.kind !== 'BATCH') throw new Error('no batch view')
        return computeSnapshots(
          targets,
          view,
          { kind: 'TIMES', times },
          { createdAfterMicros: null, ...quiet },
        )
      },
      materialize: (view) =>
        materialize(targets, viewOf(view), {
          range: null,
          newMarker: () => `${Math.random()}`,
          sleep: async () => {},
          ...quiet,
        }),
      async work() {
        const lines: string[] = []
        const log = { info: (line: string) => lines.push(line), warn: (line: string) => lines.push(line) }
        for (const view of stored) {
          const watched: WatchedView = {
            ...{ view, checkAt: 0, history: {}, expiredUntil: Number.NEGATIVE_INFINITY },
          }
          const options = {
            recomputeMicros: day,
            sleep: async () => {},
            newMarker: () => `${Math.random()}`,
            log,
          }
          const computeBatch: ComputeBatch = (...asked) => computeSnapshots(targets, ...asked)
          while ((await runDue({ ...targets, computeBatch }, watched, options)) === 'SUCCEEDED');
        }
        return lines
      },
      async answers(customer, ...daysBefore) {
        const past = daysBefore.map(
          (days) =>
            `d${days}: customer(customerId: ${customer}, asOf: "${formatTimestamp(midnight - days * day)}") ${selection}`,
        )
        const { data } = await gateway.ask(
          `{ now: customer(customerId: ${customer}) ${selection} ${past.join(' ')} }`,
        )
        return ['now', ...daysBefore.map((days) => `d${days}`)].map((alias) => {
          const row = data[alias][graphqlName]
          const { status, reason } = row.freshness
          return `${row[feature]} ${status}${reason === null ? '' : ` ${reason}`}`
        })
      },
      report: () => reportDefinitions(stores, registry, systemClock),
    })
  } finally {
    await gateway.close()
  }
}

/** Customer 1: 10 and 3 days before midnight; customer 2: 10 days before. */
async function pay({ url }: TestGateway): Promise<void> {
  for (const [customer, days] of [
    [1, 10],
    [1, 3],
    [1, 3],
    [2, 10],
  ] as const) {
    const response = await fetch(`${url}/events/payments`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: JSON.stringify({
        at: formatTimestamp(midnight - days * day + 3_600_000_000),
        customer_id: customer,
      }),
    })
    expect([response.status, await response.text()]).toEqual([200, expect.stringContaining('true')])
  }
}

const recomputing = 'null UNAVAILABLE RECOMPUTING'
const lastThree = [midnight - 2 * day, midnight - day, midnight]

describe('a changed definition of a batch view', () => {
  it('answers nothing of the other one, on both clocks, until its snapshots are recomputed, newest first', async () => {
    const project = newProject()
    await withWorld(project, { features: { n: '7d' } }, async (world) => {
      await pay(world)
      await world.compute(...lastThree)
      await world.materialize('daily')
      await expect
        .poll(() => world.answers(1, 0, 1, 2))
        .toEqual(['2 PRESENT', '2 PRESENT', '2 PRESENT', '2 PRESENT'])
      await expect.poll(() => world.answers(2, 0)).toEqual(['0 NOT_FOUND', '0 NOT_FOUND'])
      expect(await world.report()).toEqual([])
    })
    const known = formatTimestamp(systemClock())
    await withWorld(project, { features: { n: '14d' } }, async (world) => {
      const line =
        'daily: 3 snapshots were computed by another definition; they are UNAVAILABLE (RECOMPUTING) until the worker or `featuregraph batch daily --stale` has recomputed them, newest first'
      expect(await world.report()).toEqual([line])
      expect(world.logLines.map((text) => JSON.parse(text).msg)).toContain(line)
      expect(await world.answers(1, 0, 1, 2)).toEqual(Array(4).fill(recomputing))
      // There is no row of this one: it has an event in the windows of today's definition.
      expect(await world.answers(2, 0)).toEqual(Array(2).fill(recomputing))
      const { errors, data } = await world.ask('{ scoring(keys: [{ customerId: 1 }]) { n statuses } }')
      expect(data.scoring).toEqual([{ n: null, statuses: ['UNAVAILABLE'] }])
      expect(errors).toMatchObject([
        { extensions: { code: 'UNAVAILABLE', reason: 'RECOMPUTING', view: 'daily' } },
      ])
    })
    // Taken back before anything was recomputed, what is stored is right again at once.
    await withWorld(project, { features: { n: '7d' } }, async (world) => {
      expect(await world.report()).toEqual([])
      expect(await world.answers(1, 0, 1)).toEqual(['2 PRESENT', '2 PRESENT', '2 PRESENT'])
    })
    await withWorld(project, { features: { n: '14d' } }, async (world) => {
      await world.compute(midnight)
      // A spine holds values of one definition only.
      expect((await world.answers(1, 0, 1, 2)).slice(1)).toEqual(['3 PRESENT', recomputing, recomputing])
      await world.materialize('daily')
      await expect.poll(() => world.answers(1, 0)).toEqual(['3 PRESENT', '3 PRESENT'])
      await expect.poll(() => world.answers(2, 0)).toEqual(['1 PRESENT', '1 PRESENT'])
      await expect.poll(() => world.answers(99, 0)).toEqual(['0 NOT_FOUND', '0 NOT_FOUND'])
      const lines = await world.work()
      expect(lines).toContainEqual(
        expect.stringContaining("computed by the view's definition of today, 0 are left"),
      )
      expect(await world.answers(1, 0, 1, 2)).toEqual(['3 PRESENT', '3 PRESENT', '3 PRESENT', '3 PRESENT'])
      expect(await world.report()).toEqual([])
      // What was known before is of the other definition.
      const { data } = await world.ask(
        `{ customer(customerId: 1, asOf: "${formatTimestamp(midnight)}", knownAt: "${known}") { daily { n freshness { status reason } } } }`,
      )
      expect(data.customer.daily).toEqual({
        n: null,
        freshness: { status: 'UNAVAILABLE', reason: 'RECOMPUTING' },
      })
    })
    // Taken back after it: the worker recomputes them again.
    await withWorld(project, { features: { n: '7d' } }, async (world) => {
      expect(await world.answers(1, 0, 2)).toEqual(Array(3).fill(recomputing))
      await world.work()
      await expect.poll(() => world.answers(1, 0, 1, 2)).toEqual(Array(4).fill('2 PRESENT'))
      await expect.poll(() => world.answers(2, 0)).toEqual(['0 NOT_FOUND', '0 NOT_FOUND'])
    })
  })

  it('that adds a feature leaves the others answering, and the new one unavailable until it is computed', async () => {
    const project = newProject()
    await withWorld(project, { features: { n: '7d' } }, async (world) => {
      await pay(world)
      await world.compute(...lastThree)
      await world.materialize('daily')
    })
    await withWorld(project, { features: { n: '7d', m: '14d' } }, async (world) => {
      expect(await world.report()).toEqual([
        'daily: 3 snapshots lack m, which is null (UNAVAILABLE) until the worker or `featuregraph batch daily --stale` has recomputed them, newest first',
      ])
      const ask = (customer: number, time: string) =>
        world.ask(`{ scoring(keys: [{ customerId: ${customer} }]${time}) { n m statuses } }`)
      const past = `, asOf: "${formatTimestamp(midnight)}"`
      for (const time of ['', past]) {
        const one = await ask(1, time)
        expect(one.data.scoring).toEqual([{ n: 2, m: null, statuses: ['PRESENT', 'UNAVAILABLE'] }])
        expect(one.errors).toBe(undefined)
        const none = await ask(99, time)
        expect(none.data.scoring).toEqual([{ n: 0, m: null, statuses: ['NOT_FOUND', 'UNAVAILABLE'] }])
      }
      await world.work()
      for (const time of ['', past])
        await expect
          .poll(async () => (await ask(1, time)).data.scoring)
          .toEqual([{ n: 2, m: 3, statuses: ['PRESENT', 'PRESENT'] }])
      await expect
        .poll(async () => (await ask(99, '')).data.scoring)
        .toEqual([{ n: 0, m: 0, statuses: ['NOT_FOUND', 'NOT_FOUND'] }])
      expect(await world.report()).toEqual([])
    })
  })
})

describe('a renamed batch view', () => {
  it('does not answer as though no key had events, and is recognised at the start', async () => {
    const project = newProject()
    await withWorld(project, { features: { n: '7d' } }, async (world) => {
      await pay(world)
      await world.compute(midnight)
      await world.materialize('daily')
    })
    await withWorld(project, { view: 'nightly', features: { n: '7d' } }, async (world) => {
      expect(await world.answers(1, 0, 1)).toEqual(Array(3).fill('null UNAVAILABLE NEVER_FILLED'))
      expect(await world.report()).toEqual([
        'nightly has no rows, and means what "daily" did, which no definition names any more: it looks like a rename. To keep what is stored, go back to the version before (`featuregraph rollback`) and apply it with `renamedFrom: \'daily\'`; else have it computed: `featuregraph batch nightly --from …`',
      ])
      await world.work()
      await expect.poll(() => world.answers(1, 0)).toEqual(['2 PRESENT', '2 PRESENT'])
      // Before its first snapshot nothing is known of it, but where the source had no event yet.
      expect((await world.answers(1, 1, 60)).slice(1)).toEqual([
        'null UNAVAILABLE NEVER_FILLED',
        '0 NOT_FOUND',
      ])
    })
  })
})

describe('a mapped view', () => {
  const bills = async ({ ask }: TestGateway, customer: number) =>
    (await ask(`{ customer(customerId: ${customer}) { bills { total freshness { status reason } } } }`)).data
      .customer.bills
  const unavailable = { total: null, freshness: { status: 'UNAVAILABLE', reason: 'RECOMPUTING' } }

  it('whose source is mapped otherwise is unavailable online until it is materialized again', async () => {
    const project = newProject()
    // Customer 2's has not been sent.
    await execute(
      database.url,
      `insert into public.bills values (1, now() - interval '2 hours', now() - interval '1 hour', 12, 10),
         (2, now() - interval '2 hours', null, 5, 4)`,
    )
    await withWorld(project, { features: { n: '7d' } }, async (world) => {
      await world.materialize('bills')
      await expect.poll(() => bills(world, 1)).toMatchObject({ total: 12, freshness: { status: 'PRESENT' } })
    })
    const changes = [
      [{ total: 'net' }, 4],
      // A key is gone, then rows are older than those that stand online.
      [{ total: 'net', paidAt: 'sent_at' }, null],
      [{ total: 'net', paidAt: 'paid_at' }, 4],
    ] as const
    for (const [changed, second] of changes)
      await withWorld(project, { features: { n: '7d' }, ...changed }, async (world) => {
        expect(await Promise.all([1, 2, 99].map((customer) => bills(world, customer)))).toEqual(
          Array(3).fill(unavailable),
        )
        expect(await world.report()).toEqual([
          'bills: its rows online were materialized by another definition; they are UNAVAILABLE (RECOMPUTING) until the worker or `featuregraph materialize bills` has written them again',
        ])
        await world.work()
        await expect.poll(() => bills(world, 99)).toMatchObject({ freshness: { status: 'NOT_FOUND' } })
        expect(await bills(world, 1)).toMatchObject({ total: 10, freshness: { status: 'PRESENT' } })
        const status = second === null ? 'NOT_FOUND' : 'PRESENT'
        expect(await bills(world, 2)).toMatchObject({ total: second, freshness: { status } })
      })
  })
})
