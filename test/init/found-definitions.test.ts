import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { checkDefinitions } from '../../src/cli/check.ts'
import { foundContent } from '../../src/cli/init/found-content.ts'
import { readFiles } from '../../src/cli/init/read-files.ts'
import { readTables } from '../../src/cli/init/read-tables.ts'
import { writeFiles } from '../../src/init/write-files.ts'
import { repository } from '../cli/start-command.ts'
import { startTestGateway } from '../server/start-test-gateway.ts'
import { execute } from '../services/postgres.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'

let folder: string
let database: TestDatabase
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'featuregraph-found-'))
  // What `featuregraph` is to the definitions, which stand outside of any project here.
  const paths = { featuregraph: [join(repository, 'src/definitions/featuregraph.ts')] }
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: { paths } }))
  database = await createTestDatabase()
  await execute(
    database.url,
    `create schema shop;
     create type shop.mood as enum ('good', 'bad');
     create table shop.customers (
       id bigint primary key, country text, vip boolean, score real, mood shop.mood, status text, "Weird Name" int,
       tags text[], constructor int, created_at timestamptz, updated_at timestamptz);
     comment on table shop.customers is 'Who buys';
     comment on column shop.customers.country is 'The country''s code';
     create table shop.orders (
       order_id uuid primary key, customer_id int not null, product_id text, total numeric, gift boolean,
       ordered_at timestamptz, created_at timestamptz, note jsonb);
     create table shop.weather (city text, day date, degrees float8, primary key (city, day));
     create view shop.scores as select customer_id, avg(total) as mean_total, max(ordered_at) as event_timestamp
       from shop.orders group by customer_id;
     create table shop.settings (name text primary key, value text);
     create table shop.clicks (url text, at timestamptz);
     insert into shop.customers values (7, 'de', true, 0.5, 'good', 'new', 3, '{a,b}', 1, now() - interval '9 days', now() - interval '3 days');
     insert into shop.orders select gen_random_uuid(), 7, 'p' || i, 10 + i, i = 1, now() - (i || ' days')::interval, null, null
       from generate_series(1, 5) i`,
  )
})
afterAll(async () => {
  await Promise.all([rm(folder, { recursive: true, force: true }), database?.drop()])
})

describe('definitions of the tables of a Postgres', () => {
  it('say what was guessed, and what is not mapped and why', async () => {
    const tables = await readTables(database.url, 'shop')
    const [written] = foundContent(tables, 'schema "shop" of a Postgres', []).files
    const golden = join(import.meta.dirname, 'golden/shop.txt')
    if (process.env['UPDATE_GOLDEN']) await writeFile(golden, written?.text ?? '')
    expect(written?.text).toBe(await readFile(golden, 'utf8'))
  })

  it('are served as they are, once the worker has been over them', async () => {
    const project = join(folder, 'shop')
    const tables = await readTables(database.url, 'shop')
    await writeFiles(project, foundContent(tables, 'a Postgres', []).files)
    const gateway = await startTestGateway({
      ...{ offlineUrl: database.url, onlineUrl: inject('redisUrl'), makeTables: false },
      settings: { SCHEMA: join(project, 'schema'), WORKER: 'true' },
    })
    const query = `{
      customer(customerId: 7) { customerFeatures { country score weirdName tags } customerOrders { orders7d gift30d } }
      customerFeaturesV1(keys: [{ customerId: 7 }]) { vector }
    }`
    try {
      await expect
        .poll(async () => (await gateway.ask(query)).data, { interval: 500 })
        .toMatchObject({
          customer: {
            customerFeatures: { country: 'de', score: 0.5, weirdName: 3, tags: ['a', 'b'] },
            // The snapshot of today's beginning has the orders before it.
            customerOrders: { orders7d: 5, gift30d: 1 },
          },
          customerFeaturesV1: [{ vector: [1, 0.5, 3, 1] }],
        })
    } finally {
      await gateway.close()
    }
  })

  it('are not written where there is nothing, or nothing that can be mapped', async () => {
    await expect(readTables(database.url, 'none')).rejects.toThrow('schema "none" has no table or view')
    await expect(readTables('mysql://here', 'public')).rejects.toThrow('starts with postgres://')
    const tables = await readTables(database.url, 'shop')
    const settings = tables.filter(({ name }) => name === 'settings')
    expect(() => foundContent(settings, 'a Postgres', [])).toThrow(
      'no definition could be written from a Postgres:\n  shop.settings: no column says when a row was true',
    )
  })
})

describe('definitions of files', () => {
  it('have the types that all values of the first rows fit, and pass the check', async () => {
    const csv = join(folder, 'rides-2026-10.csv')
    await writeFile(
      csv,
      `ride_id,Rider,rider_id,fare,paid,started_at,zip,__index_level_0__\nr1,A,7,12.5,true,2026-10-01 08:00:00,00123,0\nr2,B,8,,false,2026-10-02 08:00:00,,1\n`,
    )
    const ndjson = join(folder, 'profiles.ndjson')
    await writeFile(
      ndjson,
      `{"user_id":"u1","event_timestamp":"2026-10-01T08:00:00Z","likes":["a"],"age":3,"nothing":null,"mixed":1}\n{"user_id":"u1","event_timestamp":"2026-10-02T08:00:00Z","likes":[],"age":4,"nothing":null,"mixed":{}}\n`,
    )
    const content = foundContent(await readFiles([csv, ndjson]), 'files', [])
    await writeFiles(join(folder, 'files'), content.files)
    const [written] = content.files
    const golden = join(import.meta.dirname, 'golden/files.txt')
    if (process.env['UPDATE_GOLDEN']) await writeFile(golden, written?.text ?? '')
    expect(written?.text).toBe(await readFile(golden, 'utf8'))
    expect(content.example).toContain(`npx featuregraph import rides '${csv}'`)
    expect(await checkDefinitions(join(folder, 'files/schema'))).toMatchObject({ problems: [] })
  })

  it('are of events where each row has a key of its own and that of an entity with several rows, however they are called', async () => {
    const orders = join(folder, 'orders.csv')
    await writeFile(
      orders,
      'order_no,customer,total,status,created_at,updated_at\n1,ada,12.5,paid,2026-10-01T08:00:00Z,2026-10-01T09:00:00Z\n2,bob,3,open,2026-10-02T08:00:00Z,2026-10-03T08:00:00Z\n3,ada,4,paid,2026-10-04T08:00:00Z,2026-10-04T08:00:00Z\n',
    )
    // Of an entity, though its rows have the key of another one.
    const customers = join(folder, 'customers.csv')
    await writeFile(
      customers,
      'customer_id,store_id,city,joined_at\nada,1,Bern,2026-09-01T08:00:00Z\nbob,1,Basel,2026-09-01T08:00:00Z\n',
    )
    const content = foundContent(await readFiles([orders, customers]), 'files', [])
    await writeFiles(join(folder, 'orders'), content.files)
    const [written] = content.files
    const golden = join(import.meta.dirname, 'golden/orders.txt')
    if (process.env['UPDATE_GOLDEN']) await writeFile(golden, written?.text ?? '')
    expect(written?.text).toBe(await readFile(golden, 'utf8'))
    expect(await checkDefinitions(join(folder, 'orders/schema'))).toMatchObject({ problems: [] })
  })

  it('are not written of a file of another kind, or none', async () => {
    await writeFile(join(folder, 'notes.xlsx'), '')
    await expect(readFiles([join(folder, 'notes.xlsx')])).rejects.toThrow(
      'its name says no format; expected one of .parquet',
    )
    await expect(readFiles([join(folder, '*.csv.gz')])).rejects.toThrow('no file matches')
  })
})

it('nothing that stands in a folder is written over', async () => {
  const project = join(folder, 'kept')
  await mkdir(project)
  await writeFile(join(project, 'a.txt'), 'mine')
  const files = [
    { path: 'a.txt', text: 'yours' },
    { path: 'b/c.txt', text: 'new' },
  ]
  expect(await writeFiles(project, files)).toEqual({ written: ['b/c.txt'], kept: ['a.txt'] })
  expect(await readFile(join(project, 'a.txt'), 'utf8')).toBe('mine')
})
