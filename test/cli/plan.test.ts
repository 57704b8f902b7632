import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadDefinitions } from '../../src/registry/load.ts'
import { registryDigest } from '../../src/registry/registry-digest.ts'
import { currentVersion } from '../../src/registry/versions/apply.ts'
import { nextContent } from '../../src/registry/versions/resolve-identities.ts'
import { contentFormat, encodeContent, registryOf } from '../../src/registry/versions/version-content.ts'
import type { OfflineStore } from '../../src/stores/offline-store.ts'
import { postgresVersionStore } from '../../src/stores/postgres/system/version-store.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { testOfflineStore, testPool } from '../services/test-pool.ts'

const definitions = (features: string, more = ''): string => `
  const entity = (name, options) => ({ kind: 'entity', name, ...options })
  const windowedView = (name, options) => ({ kind: 'windowed-view', name, ...options })
  export const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
  export const orders = { kind: 'event-source', name: 'orders', eventTimestamp: 'at',
    fields: { customer_id: 'int64', amount: 'float64' } }
  export const daily = windowedView('daily', {
    entity: 'customer', source: 'orders', compute: { mode: 'batch', every: '1d' },
    features: { ${features} },
  })
  ${more}`
const count = (window: string): string => `orders_n: { aggregate: 'count', window: '${window}' }`
const mean = `mean_7d: { aggregate: 'mean', field: 'amount', window: '7d' }`

let root: string
let database: TestDatabase
let pool: pg.Pool
let offline: OfflineStore
let runs = 0

/** A folder of its own for each text: a module is loaded once a process. */
async function folderOf(name: string, text: string): Promise<string> {
  const folder = join(root, name)
  await mkdir(folder)
  await writeFile(join(folder, 'world.mjs'), text)
  return folder
}

interface Ended {
  readonly out: string
  readonly error: string
  readonly code: number
}

/** The command line in this process. */
async function run(settings: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<Ended> {
  const { argv, env, exitCode } = process
  const [out, error]: [string[], string[]] = [[], []]
  const streams = [
    [process.stdout, process.stdout.write, out],
    [process.stderr, process.stderr.write, error],
  ] as const
  process.argv = ['node', 'featuregraph', ...args]
  process.env = { ...env }
  const all = { OFFLINE_URL: database.url, LOG_LEVEL: 'warn', ...settings }
  for (const [name, value] of Object.entries(all)) process.env[`FEATUREGRAPH_${name}`] = value
  for (const [stream, , lines] of streams)
    stream.write = ((text: string) => lines.push(text) > 0) as typeof stream.write
  try {
    process.exitCode = 0
    runs += 1
    await import(/* @vite-ignore */ `${new URL('../../src/cli.ts', import.meta.url).pathname}?plan=${runs}`)
    return { out: out.join(''), error: error.join(''), code: Number(process.exitCode) }
  } finally {
    for (const [stream, write] of streams) stream.write = write
    Object.assign(process, { argv, env, exitCode })
  }
}

async function apply(project: string, folder: string, message: string | null = null): Promise<void> {
  const { definitions: loaded } = await loadDefinitions(folder)
  const versions = postgresVersionStore(pool, project)
  const current = await currentVersion(versions)
  const content = nextContent(current?.content ?? null, loaded)
  const served = registryOf(content)
  await offline.ensureTables(served.views, served.eventSources)
  await versions.add({
    ...{ version: (current?.version ?? 0) + 1, digest: registryDigest(served), format: contentFormat },
    ...{
      content: encodeContent(content),
      changedIn: {},
      changes: [],
      appliedBy: 'ana',
      message,
      program: '0.1.0',
    },
  })
}

let first: string
let other: string
beforeAll(async () => {
  ;[root, database] = await Promise.all([mkdtemp(join(tmpdir(), 'featuregraph-plan-')), createTestDatabase()])
  pool = testPool(database.url)
  offline = testOfflineStore(database.url)
  first = await folderOf('first', definitions(count('30d')))
  other = await folderOf('other', definitions(`${count('7d')}, ${mean}`))
})
afterAll(async () => {
  await Promise.all([pool?.end(), offline?.close()])
  await Promise.all([root && rm(root, { recursive: true, force: true }), database?.drop()])
})

describe('featuregraph plan', () => {
  it('ends with 2 for changes, with 0 for none and with 1 for errors', async () => {
    const added = await run({ SCHEMA: first }, 'plan')
    expect([added.code, added.error]).toEqual([2, ''])
    expect(added.out).toMatch(
      /^nothing was applied to project default yet; .*\n\n {2}\+ entity customer: added/,
    )
    await apply('default', first)
    const none = await run({ SCHEMA: first }, 'plan')
    expect([none.code, none.out]).toEqual([
      0,
      `no changes: version 1 of project default says what the definitions of ${first} say\n`,
    ])
    const changed = await run({ SCHEMA: other }, 'plan')
    expect([changed.code, changed.error]).toEqual([2, ''])
    expect(changed.out).toContain('~ window of orders_n: 30d → 7d  [breaks trained models and stored rows]')
    const missing = await run({ SCHEMA: first }, 'plan', '--against', '7')
    expect([missing.code, missing.out]).toEqual([1, ''])
    expect(missing.error).toContain('--against: there is no version 7; there are versions 1 to 1')
  })

  it('counts what is to be computed again, with a time by the last runs', async () => {
    await pool.query(`
      insert into featuregraph.views (project, id, name) values ('default', 'daily', 'daily') on conflict do nothing;
      insert into features.daily (customer_id, event_timestamp, orders_n) select n, '2026-01-01Z', n from generate_series(1, 60) as n;
      insert into featuregraph.snapshots (project, view_id, as_of, snapshot_xmin, system_identifier, definition, computed_at)
        select 'default', 'daily', '2026-01-01Z'::timestamptz - n * interval '1 day', '1', 'x', 'd', now() from generate_series(1, 3) as n;
      insert into featuregraph.runs (project, id, kind, view, state, started_at, finished_at, rows_written)
        values ('default', gen_random_uuid(), 'BATCH', 'daily', 'SUCCEEDED', '2026-01-01Z', '2026-01-01T00:00:10Z', 20);`)
    const { out, code } = await run({ SCHEMA: other }, 'plan', '--json')
    expect(code).toBe(2)
    expect(JSON.parse(out)).toMatchObject({
      ...{ version: 1, breaks: ['models', 'rows'], begun: null },
      changes: [
        { definition: 'feature view daily', how: 'changed', text: 'window of orders_n: 30d → 7d' },
        { definition: 'feature view daily', how: 'added', breaks: [] },
      ],
      graphql: [{ path: 'DailyPush.mean7d', breaking: false }],
      recompute: [
        {
          ...{ what: 'SNAPSHOTS', featureView: 'daily', features: ['orders_n', 'mean_7d'] },
          ...{ snapshots: 3, rows: 60, exact: true, seconds: 30 },
        },
        { what: 'ONLINE_ROWS', rows: null, seconds: null },
        { what: 'INDEX', featureView: 'daily', rows: 60 },
      ],
    })
  })

  it('names file and line of what does not load, and of what cannot follow the registry', async () => {
    const broken = await folderOf(
      'broken',
      definitions(`${count('7d')}, bad: { aggregate: 'sum', window: '7d' }`),
    )
    const refused = await run({ SCHEMA: broken, OFFLINE_URL: 'postgres://127.0.0.1:1/none' }, 'plan')
    expect([refused.code, refused.out]).toEqual([1, ''])
    expect(refused.error).toMatch(
      /broken\/world\.mjs:9: feature view daily\.features\.bad: count takes a window only/,
    )
    const half = await folderOf('half', 'export const half = {')
    expect((await run({ SCHEMA: half }, 'plan')).error).toMatch(
      /half\/world\.mjs:\d+: the file cannot be loaded/,
    )
    const plain = (type: string) => `
      const featureView = (name, options) => ({ kind: 'feature-view', name, ...options })
      export const trips = featureView('trips', {
        entity: 'customer',
        features: { city: '${type}' },
      })`
    await apply('narrowed', await folderOf('wide', definitions(count('7d'), plain('string'))))
    const narrow = await folderOf('narrow', definitions(count('7d'), plain('bool')))
    const narrowed = await run({ SCHEMA: narrow, PROJECT: 'narrowed' }, 'plan')
    expect(narrowed.error).toMatch(
      /narrow\/world\.mjs:15: feature view trips\.features\.city: its stored values are string/,
    )
    expect(narrowed.code).toBe(1)
  })

  it('reports a thousand problems by their number, as many as a terminal holds, and all as JSON', async () => {
    const views = Array.from(
      { length: 1_000 },
      (_, n) =>
        `export const v${n} = { kind: 'feature-view', name: 'v${n}', entity: 'nobody', features: { f: 'int32' } }`,
    )
    const folder = await folderOf('thousand', definitions(count('7d'), views.join('\n')))
    const text = await run({ SCHEMA: folder }, 'plan')
    expect(text.code).toBe(1)
    expect(text.error).toContain('… and 900 more, which --json lists\n\n1000 problems in the definitions of')
    expect(text.error.length).toBeLessThan(60_000)
    const { out } = await run({ SCHEMA: folder }, 'plan', '--json')
    expect(JSON.parse(out).problems).toHaveLength(1_000)
  })
})

describe('a registry file', () => {
  const nowhere = { OFFLINE_URL: 'postgres://127.0.0.1:1/none' }
  let file: string
  beforeAll(async () => {
    file = join(root, 'registry.db')
    await apply('default', other, 'a shorter window')
  })

  it('holds all versions, and takes later ones when it is written again', async () => {
    const written = await run({}, 'registry', 'export', file)
    expect([written.code, written.out]).toEqual([0, `${file}: 2 versions written; it ends at version 2\n`])
    expect((await run({}, 'registry', 'export', file)).out).toBe(
      `${file}: 0 versions written; it ends at version 2\n`,
    )
  })

  it('is planned against, compared and checked without any server', async () => {
    const planned = await run({ ...nowhere, SCHEMA: first }, 'plan', '--registry', file, '--json')
    expect([planned.code, JSON.parse(planned.out)]).toMatchObject([2, { version: 2, recompute: null }])
    const shown = await run(nowhere, 'show', '2', '--registry', file, '--json')
    expect([shown.code, JSON.parse(shown.out).version]).toEqual([0, 2])
    const compared = await run(nowhere, 'diff', '1', '--registry', file)
    expect(compared).toMatchObject({ code: 0, error: '' })
    expect(compared.out).toMatch(
      /^version 1 of .*registry\.db → version 2\n\n {2}~ feature view daily\n[\s\S]*30d → 7d/,
    )
    const toFiles = await run(
      { ...nowhere, SCHEMA: other },
      'diff',
      '1',
      'files',
      '--registry',
      file,
      '--json',
    )
    expect(JSON.parse(toFiles.out)).toMatchObject({ from: 1, to: 'files', breaks: ['models', 'rows'] })
    const same = await run(nowhere, 'check', other, '--registry', file)
    expect(same).toMatchObject({ code: 0, error: '' })
    const breaking = await run(nowhere, 'check', first, '--registry', file)
    expect(breaking.code).toBe(1)
    expect(breaking.out).toContain('- feature mean_7d removed  [breaks GraphQL clients and stored rows]')
    expect(breaking.error).toContain('the definitions break GraphQL clients, trained models and stored rows')
    expect((await run(nowhere, 'check', first, '--registry', file, '--allow-breaking')).code).toBe(0)
    const missing = await run(nowhere, 'plan', '--registry', join(root, 'no.db'))
    expect([missing.code, missing.error]).toMatchObject([1, /no\.db cannot be used/])
  })

  it('is taken over by a project without versions, with who applied them when, and its tables', async () => {
    const imported = await run({ PROJECT: 'copy' }, 'registry', 'import', file)
    expect(imported).toMatchObject({
      code: 0,
      out: 'project copy: 2 versions imported; version 2 is current\n',
    })
    const [here, there] = ['copy', 'default'].map((project) => postgresVersionStore(pool, project))
    for (const version of [1, 2]) expect(await here?.read(version)).toEqual(await there?.read(version))
    const { rows } = await pool.query(`select to_regclass('features_copy.daily') is not null as there`)
    expect(rows).toEqual([{ there: true }])
    expect((await run({ PROJECT: 'copy', SCHEMA: other }, 'plan')).code).toBe(0)
  })

  it('is refused by a project that is ahead, or has other versions', async () => {
    await apply('ahead', other)
    const otherwise = await run({ PROJECT: 'ahead' }, 'registry', 'import', file)
    expect(otherwise.error).toContain(`version 1 of project ahead is not that of ${file}`)
    await apply('copy', first)
    const behind = await run({ PROJECT: 'copy' }, 'registry', 'import', file)
    expect([otherwise.code, behind.code]).toEqual([1, 1])
    expect(behind.error).toContain(`project copy has version 3, ${file} ends at version 2`)
    expect(await postgresVersionStore(pool, 'ahead').newest()).toBe(1)
  })
})
