import { access, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { trainingSet } from '../../src/cli/training-set.ts'
import { formatTimestamp, type Micros } from '../../src/definitions/timestamp.ts'
import {
  CardUnreadable,
  HistoryExpired,
  HistoryRemoved,
  NotReproduced,
  OtherDatabase,
  OtherDefinitions,
  OtherSpine,
} from '../../src/errors.ts'
import { systemClock } from '../../src/gateway/system-clock.ts'
import { readLimit, usualReadLimit } from '../../src/historical/plan/read-limit.ts'
import {
  type CardedSources,
  type CardedTrainingSet,
  makeCardedTrainingSet,
} from '../../src/historical/training/carded-training-set.ts'
import { parseKnownAt } from '../../src/historical/training/known-at.ts'
import { readCard } from '../../src/historical/training/read-card.ts'
import {
  type RemadeTrainingSet,
  remakeTrainingSet,
} from '../../src/historical/training/remake-training-set.ts'
import { selectedFeatures } from '../../src/historical/training/selected-features.ts'
import type { TrainingOptions } from '../../src/historical/training/training-options.ts'
import { computeSnapshots } from '../../src/ingest/snapshots/compute-snapshots.ts'
import type { FeatureService } from '../../src/registry/registry.ts'
import { duckDbTrainingFiles } from '../../src/stores/duckdb/training-file.ts'
import { postgresLaterChanges } from '../../src/stores/postgres/deletion/later-changes.ts'
import { postgresAsOfSnapshots } from '../../src/stores/postgres/features/as-of-snapshot.ts'
import { newProject, startTestGateway, type TestGateway } from '../server/start-test-gateway.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { testPool } from '../services/test-pool.ts'

const hour = 3_600_000_000
const now = systemClock()
const lastHour = Math.floor(now / hour) * hour
const project = newProject()
let folder: string
let database: TestDatabase
let gateway: TestGateway
let pool: pg.Pool
let spine: string

beforeAll(async () => {
  ;[folder, database] = await Promise.all([
    mkdtemp(join(tmpdir(), 'featuregraph-card-')),
    createTestDatabase(),
  ])
  pool = testPool(database.url, 2)
  await mkdir(join(folder, 'schema'))
  await writeFile(
    join(folder, 'schema', 'bakery.mjs'),
    `export const shop = { kind: 'entity', name: 'shop', joinKeys: { shop_id: 'string' } }
     export const baker = { kind: 'entity', name: 'baker', joinKeys: { baker_id: 'int64' } }
     export const sales = { kind: 'event-source', name: 'sales', eventTimestamp: 'at', retention: '400d', fields: { shop_id: 'string', baker_id: 'int64', weight: 'float64' } }
     export const profile = { kind: 'feature-view', name: 'profile', entity: 'shop', ttl: '100h', features: { seats: { type: 'int64', default: 4 }, name: 'string' } }
     export const skill = { kind: 'feature-view', name: 'skill', entity: 'baker', features: { level: 'int64' } }
     export const recent = { kind: 'windowed-view', name: 'recent', entity: 'shop', source: 'sales', compute: { mode: 'stream' }, online: false,
       features: { sold: { aggregate: 'count', window: '2h' }, weight: { aggregate: 'sum', field: 'weight', window: '2h' }, spread: { aggregate: 'stddev', field: 'weight', window: '1h' } } }
     export const daily = { kind: 'windowed-view', name: 'daily', entity: 'shop', source: 'sales', compute: { mode: 'batch', every: '1h' },
       features: { sold_day: { aggregate: 'count', window: '24h' } } }
     export const stock = { kind: 'feature-view', name: 'stock', entity: 'shop', source: { kind: 'postgres', name: 'stock', table: 'bakery.stock', eventTimestamp: 'at' }, features: { flour: 'int64' } }`,
  )
  await pool.query(
    `create schema bakery; create table bakery.stock (shop_id text, at timestamptz, flour bigint);
     insert into bakery.stock values ('a', now() - interval '50 hours', 3)`,
  )
  gateway = await startTestGateway({
    offlineUrl: database.url,
    onlineUrl: 'memory:',
    makeTables: false,
    settings: { PROJECT: project, SCHEMA: join(folder, 'schema'), WORKER: 'false' },
  })
  await gateway.write('profile', [
    { key: { shop_id: 'a' }, at: now - 20 * hour, values: { seats: 7, name: 'first' } },
    { key: { shop_id: 'b' }, at: now - 20 * hour, values: { seats: 8 } },
  ])
  await sell(
    Array.from({ length: 120 }, (_, index) => ({
      shop: index % 3 === 0 ? 'b' : 'a',
      at: now - 5 * hour + index * 120_000_000,
      weight: Math.sin(index) / 3,
    })),
  )
  await computeDaily()
  spine = join(folder, 'labels.parquet')
  await duck(
    `copy (select ['a', 'b', 'c'][1 + i % 3] as shop_id, make_timestamptz(${now} - (i * 97 % 300) * 60000000) as event_timestamp, i as label
     from range(400) as t(i)) to '${spine}'`,
  )
})

afterAll(async () => {
  await gateway?.close()
  await pool?.end()
  await Promise.all([folder && rm(folder, { recursive: true, force: true }), database?.drop()])
})

async function duck(sql: string): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  await connection.run(sql)
  connection.disconnectSync()
  instance.closeSync()
}

async function sell(
  events: readonly { readonly shop: string; readonly at: Micros; readonly weight: number }[],
): Promise<void> {
  const lines = events.map(({ shop, at, weight }) =>
    JSON.stringify({ at: formatTimestamp(at), shop_id: shop, baker_id: 1, weight }),
  )
  const pushed = await fetch(`${gateway.url}/events/sales`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: lines.join('\n'),
  })
  expect(pushed.status).toBe(200)
}

async function computeDaily(): Promise<void> {
  const { registry, stores } = gateway.gateway
  const view = registry.views.find(({ name }) => name === 'daily')
  if (view?.kind !== 'BATCH') throw new Error('no batch view')
  const times = [4, 3, 2, 1, 0].map((hours) => lastHour - hours * hour)
  await computeSnapshots(
    { ...stores, clock: systemClock },
    view,
    { kind: 'TIMES', times },
    {
      createdAfterMicros: null,
      onWait: () => {},
      onProgress: () => {},
    },
  )
}

const features = ['profile', 'recent', 'daily']

function optionsOf(more: Partial<TrainingOptions> = {}): TrainingOptions {
  return {
    ...{ selection: { features }, fullNames: false, knownAt: { kind: 'ALL' }, spineFormat: 'parquet' },
    ...{ map: new Map(), time: null, timezone: null, timeUnit: null },
    ...{ vector: false, statuses: true, format: 'parquet' },
    ...more,
  } as TrainingOptions
}

/** By arrays of parameters for one format, by a temporary table and merged windows for the others. */
function sources({ format }: TrainingOptions, program = '1.0.0'): CardedSources {
  const { stores } = gateway.gateway
  return {
    engines: null,
    snapshots: postgresAsOfSnapshots(stores.system, {
      project,
      countNonFinite: () => {},
      arrayRows: format === 'csv' ? 1_000 : 10,
    }),
    ...{ trainingFiles: duckDbTrainingFiles, files: stores.files },
    onDemand: { folder, onFailure: () => {} },
    changes: postgresLaterChanges(stores.system, project),
    world: { project, registryVersion: 1, definitions: 'abc', program },
  }
}

const running = {
  limit: readLimit(usualReadLimit, ''),
  onProgress: () => {},
  signal: new AbortController().signal,
}

async function make(out: string, options = optionsOf(), path = spine): Promise<CardedTrainingSet> {
  const service = selectedFeatures(gateway.gateway.registry, options.selection, options.fullNames)
  return await makeCardedTrainingSet(sources(options), {
    ...{ service, options, spine: path, again: null, engine: 'auto' as const, out: join(folder, out) },
    ...running,
  })
}

interface Remaking {
  readonly spine?: string
  readonly program?: string
  readonly allowDeletions?: boolean
  readonly change?: (service: FeatureService) => FeatureService
}

async function remake(text: string, out: string, more: Remaking = {}): Promise<RemadeTrainingSet> {
  const card = readCard('train.card.json', text)
  const { selection, fullNames } = card.options
  const service = selectedFeatures(gateway.gateway.registry, selection, fullNames)
  return await remakeTrainingSet(sources(card.options, more.program), {
    ...{ card, service: more.change?.(service) ?? service, spine: more.spine ?? spine },
    ...{ out: join(folder, out), allowDeletions: more.allowDeletions ?? false },
    ...running,
  })
}

interface CardJson {
  knownAt: unknown
  readonly database: Record<string, unknown>
  readonly options: Record<string, unknown>
}

const bytesOf = (file: string): Promise<Buffer> => readFile(join(folder, file))
const edited = (text: string, change: (card: CardJson) => unknown): string => {
  const card: CardJson = JSON.parse(text)
  change(card)
  return JSON.stringify(card)
}

describe('a training set from its card', () => {
  it('is the same file, byte for byte, once rows have come late: also with old times of their own', async () => {
    const orders: readonly TrainingOptions[] = [
      optionsOf({
        selection: { features: ['profile:seats', 'recent', 'daily'] },
        vector: true,
        fullNames: true,
      }),
      optionsOf({ format: 'csv', knownAt: parseKnownAt('row') }),
      optionsOf({ format: 'ndjson', knownAt: parseKnownAt(formatTimestamp(now + hour)) }),
    ]
    const before: CardedTrainingSet[] = []
    for (const [index, options] of orders.entries()) before.push(await make(`before-${index}`, options))

    const created = now - 19 * hour
    await gateway.write('profile', [
      { key: { shop_id: 'a' }, at: now - 18 * hour, created, values: { seats: 70, name: 'late' } },
      { key: { shop_id: 'c' }, at: now - 20 * hour, created, values: { seats: 9 } },
    ])
    await sell([
      { shop: 'a', at: now - 2 * hour, weight: 1 / 7 },
      { shop: 'c', at: now - 3 * hour, weight: 2 / 7 },
    ])
    await pool.query(
      `update events_${project}.sales set ingested_at = event_timestamp where weight in (1.0 / 7, 2.0 / 7)`,
    )
    await computeDaily()
    await gateway.write('daily', [
      { key: { shop_id: 'b' }, at: lastHour - hour, created, values: { sold_day: 99 } },
    ])

    for (const [index, options] of orders.entries()) {
      const { isSame, removed, card } = await remake(before[index]?.card ?? '', `again-${index}`)
      expect([isSame, removed]).toEqual([true, []])
      expect((await bytesOf(`again-${index}`)).equals(await bytesOf(`before-${index}`))).toBe(true)
      // The new card makes it again too.
      expect(JSON.parse(card).database).toEqual(JSON.parse(before[index]?.card ?? '').database)
      await make(`now-${index}`, options)
      expect((await bytesOf(`now-${index}`)).equals(await bytesOf(`before-${index}`)), `${index}`).toBe(false)
    }
  })

  it('has what is needed and what the values are like on it', async () => {
    const { card: text } = await make('card', optionsOf({ knownAt: parseKnownAt('row+90s') }))
    expect(JSON.parse(text)).toMatchObject({
      ...{ card: 1, program: '1.0.0', project, service: null, selected: features, knownAt: 'row+90s' },
      database: {
        systemIdentifier: expect.stringMatching(/^\d+$/),
        snapshot: expect.stringMatching(/^\d+:\d+:/),
      },
      ...{ notReproducible: [], storedSince: {} },
      spine: { rows: 400, missingKeys: 0 },
    })
    const sold = JSON.parse(text).features.find(({ name }: { name: string }) => name === 'sold')
    expect(sold).toMatchObject({
      defaultedRate: 0,
      violatedRate: 0,
      minimum: 0,
      quantiles: expect.any(Array),
    })
    expect(readCard('card', text).options).toEqual(optionsOf({ knownAt: parseKnownAt('row+90s') }))
  })

  it('is refused where the card is none, of a newer program, or was changed by hand: every problem, by its path', async () => {
    const { card } = await make('edited')
    const refused = (text: string, message: string | RegExp) => {
      const read = () => readCard('train.card.json', text)
      expect(read).toThrow(CardUnreadable)
      expect(read).toThrow(message)
    }
    refused('{', /train\.card\.json cannot be used:\n {2}card: expected JSON/)
    refused('[]', 'cards of earlier versions cannot be made again')
    refused(
      edited(card, (one) => Object.assign(one, { card: undefined })),
      'cards of earlier versions cannot be made again',
    )
    refused(
      edited(card, (one) => Object.assign(one, { card: 3 })),
      'the format is 3, this program knows those up to 2',
    )
    refused(
      edited(card, (one) => {
        one.knownAt = 'yesterday'
        one.database['snapshot'] = '9:3:'
        one.options['format'] = 'xlsx'
      }),
      /was changed or is no card:\n.*knownAt: expected a timestamp, row or row\+<delay>, got "yesterday"\n.*database.snapshot: expected a snapshot of Postgres(.|\n)*options.format/,
    )
    const inParts = (...parts: readonly object[]) =>
      readCard(
        'card',
        edited(card, (one) => Object.assign(one, { output: undefined, parts })),
      ).outputSha256
    const part = JSON.parse(card).output
    expect([inParts(part), inParts(part, part)]).toEqual([part.sha256, null])
    refused(
      edited(card, (one) => Object.assign(one, { parts: [part] })),
      'expected the file that was made',
    )
    refused(
      edited(card, (one) => Object.assign(one, { service: 'x' })),
      'expected either a service, or features',
    )
  })

  it('is not made of events that are dropped meanwhile', async () => {
    const options = optionsOf()
    const own = sources(options)
    let asked = 0
    const storedSince = async () => {
      asked += 1
      return new Map(asked === 1 ? [] : [['sales', now - hour]])
    }
    const made = makeCardedTrainingSet(
      { ...own, changes: { ...own.changes, storedSince } },
      {
        service: selectedFeatures(gateway.gateway.registry, options.selection, false),
        ...{ options, spine, again: null, engine: 'auto' as const, out: join(folder, 'dropped'), ...running },
      },
    )
    await expect(made).rejects.toThrow(HistoryExpired)
    await expect(access(join(folder, 'dropped'))).rejects.toThrow()
  })

  it('takes nothing from the command line but the spine and where to write', async () => {
    const files = { spine, out: join(folder, 'beside'), fromCard: join(folder, 'none.json') }
    await expect(trainingSet({ ...files, knownAt: 'row', fullNames: true })).rejects.toThrow(
      'leave out --known-at, --full-names',
    )
    await expect(trainingSet(files)).rejects.toThrow('none.json cannot be read')
    const { fromCard: _, ...plain } = files
    await expect(trainingSet({ ...plain, service: 'x', allowDeletions: true })).rejects.toThrow(
      'goes with --from-card',
    )
  })

  it('is refused in another database or project, also in one that was restored to a time before', async () => {
    const { card } = await make('elsewhere')
    const others: readonly ((one: CardJson) => unknown)[] = [
      (one) => Object.assign(one.database, { systemIdentifier: '1' }),
      (one) => Object.assign(one.database, { id: 'x' }),
      (one) => Object.assign(one, { project: 'other' }),
      (one) => Object.assign(one.database, { snapshot: '9000000000:9000000000:' }),
    ]
    for (const change of others)
      await expect(remake(edited(card, change), 'elsewhere-again')).rejects.toThrow(OtherDatabase)
  })

  it('is refused where what it uses is defined otherwise, and not where only other words are', async () => {
    const { card } = await make('defined')
    const withTtl = (service: FeatureService): FeatureService => ({
      ...service,
      vector: service.vector.map((entry) =>
        entry.kind === 'feature' ? { ...entry, view: { ...entry.view, ttlMicros: 1 } } : entry,
      ),
    })
    await expect(remake(card, 'defined-again', { change: withTtl })).rejects.toThrow(OtherDefinitions)
    const described = (service: FeatureService): FeatureService => ({
      ...service,
      description: 'other words',
    })
    expect((await remake(card, 'defined-again', { change: described })).isSame).toBe(true)
  })

  it('is refused with another spine, naming both', async () => {
    const { card } = await make('spined')
    const other = join(folder, 'other.parquet')
    await duck(`copy (select * from '${spine}' limit 10) to '${other}'`)
    const refused = remake(card, 'spined-again', { spine: other })
    await expect(refused).rejects.toThrow(OtherSpine)
    await expect(refused).rejects.toThrow(
      /other\.parquet is not the spine of this card: expected labels\.parquet/,
    )
  })

  it('of mapped tables is marked, and refused where they have changed: nothing is written', async () => {
    const { card } = await make('mapped', optionsOf({ selection: { features: ['stock', 'profile'] } }))
    expect(JSON.parse(card).notReproducible).toEqual(['stock'])
    expect((await remake(card, 'mapped-again')).isSame).toBe(true)
    await rm(join(folder, 'mapped-again'))
    await pool.query('update bakery.stock set flour = 4')
    const refused = remake(card, 'mapped-again')
    await expect(refused).rejects.toThrow(NotReproduced)
    await expect(refused).rejects.toThrow('"stock" read tables of others')
    await expect(access(join(folder, 'mapped-again'))).rejects.toThrow()
    await expect(access(join(folder, 'mapped-again.again'))).rejects.toThrow()
    // Another version of the program promises nothing, and says so.
    expect((await remake(card, 'mapped-again', { program: '2.0.0' })).isSame).toBe(false)
  })

  it('is refused with counts once rows of its keys, or events that it needs, are gone; made of what is left if that is wanted', async () => {
    const { card } = await make('left')
    const deleted = await gateway.ask(`mutation { deleteShop(shopId: "b") { deletedAt } }`)
    expect(deleted.errors).toBeUndefined()
    await expect(remake(card, 'left-again')).rejects.toThrow(HistoryRemoved)
    await expect(remake(card, 'left-again')).rejects.toThrow(
      /133 rows of the spine: "shop" of that key was deleted\n.*--allow-deletions/,
    )
    const left = await remake(card, 'left-again', { allowDeletions: true })
    expect([left.isSame, left.removed]).toEqual([
      false,
      ['133 rows of the spine: "shop" of that key was deleted'],
    ])

    // One that is in no row of this spine; of nothing; and one whose events stand under other keys.
    const { card: next } = await make('next')
    await gateway.write('profile', [{ key: { shop_id: 'z' }, at: now, values: { seats: 1 } }])
    await gateway.ask(`mutation { deleteShop(shopId: "z") { deletedAt } }`)
    await gateway.ask(`mutation { deleteShop(shopId: "nobody") { deletedAt } }`)
    expect((await remake(next, 'next-again')).isSame).toBe(true)
    await gateway.ask(`mutation { deleteBaker(bakerId: 1) { deletedAt } }`)
    await expect(remake(next, 'next-again')).rejects.toThrow(
      '1 deletion of "baker" may have removed events of "sales"',
    )

    const { card: last } = await make('last')
    await pool.query(`insert into featuregraph.event_retention values ($1, 'sales', $2)`, [
      project,
      formatTimestamp(now - 4 * hour),
    ])
    await pool.query(
      `insert into featuregraph.clock_corrections (project, source, corrected_at, latest, events) values ($1, 'sales', now(), now(), 3)`,
      [project],
    )
    await expect(remake(last, 'last-again')).rejects.toThrow(
      /\d+ rows of the spine: windows of "recent" reach behind .* events of "sales" were dropped\n.*3 events got other times/,
    )
    // What was dropped before it was made is no change.
    const { card: after } = await make('after')
    expect(JSON.parse(after).storedSince).toEqual({ sales: formatTimestamp(now - 4 * hour) })
    expect((await remake(after, 'after-again')).isSame).toBe(true)
  })
})
