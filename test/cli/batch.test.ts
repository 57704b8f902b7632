import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { newProject } from '../server/start-test-gateway.ts'
import { applyFolder } from '../services/apply-folder.ts'
import { isLong } from '../services/long-run.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { testPool } from '../services/test-pool.ts'
import { waitUntil } from '../services/wait-until.ts'
import { type Outcome, type Running, startCommand } from './start-command.ts'

let folder: string
let database: TestDatabase
let pool: pg.Pool
beforeAll(async () => {
  ;[folder, database] = await Promise.all([
    mkdtemp(join(tmpdir(), 'featuregraph-batch-cli-')),
    createTestDatabase(),
  ])
  pool = testPool(database.url, 4, null)
  await mkdir(join(folder, 'schema'))
  await writeFile(
    join(folder, 'schema', 'world.mjs'),
    `export const customer = { kind: 'entity', name: 'customer', joinKeys: { customer_id: 'int64' } }
     export const payments = { kind: 'event-source', name: 'payments', eventTimestamp: 'ts',
       fields: { customer_id: 'int64', amount: 'float64', shop: 'string' } }
     export const spending = { kind: 'windowed-view', name: 'spending', entity: 'customer', source: 'payments', compute: { mode: 'batch', every: '1d' },
       features: { n: { aggregate: 'count', window: '3d', hop: '1d' }, total: { aggregate: 'sum', field: 'amount', window: '3d', hop: '1d', expect: { max: 190 } },
         shops: { aggregate: 'countDistinct', field: 'shop', window: '7d', hop: '1d' } } }
     export const plain = { kind: 'feature-view', name: 'plain', entity: 'customer', features: { n: 'int64' } }`,
  )
})
afterAll(async () => {
  await pool?.end()
  await Promise.all([rm(folder, { recursive: true, force: true }), database?.drop()])
})

type Settings = ReturnType<typeof settings>
const settings = () => ({
  OFFLINE_URL: database.url,
  ONLINE_URL: inject('redisUrl'),
  PROJECT: newProject(),
  SCHEMA: join(folder, 'schema'),
  LOG_LEVEL: 'error',
})
const start = (own: Settings, ...args: readonly string[]): Running => startCommand(args, own, folder)
const run = (own: Settings, ...args: readonly string[]): Promise<Outcome> => start(own, ...args).ended

/** A project whose tables are made, with events of January 2026: so many, over twenty days and 2,000 customers. */
async function projectWith(events: number): Promise<Settings> {
  const own = settings()
  await applyFolder(own)
  const schema = `events_${own.PROJECT}`
  await pool.query(
    `create table ${schema}.january partition of ${schema}.payments for values from ('2026-01-01Z') to ('2026-02-01Z')`,
  )
  await pool.query(
    `insert into ${schema}.payments select 1, 0, i, '2026-01-01Z'::timestamptz + i * interval '20 days' / ${events}, now(), null, true,
       pg_current_xact_id(), 1 + i % 2000, i % 97, 's' || i % 13 from generate_series(0, ${events} - 1) as i`,
  )
  return own
}

describe('featuregraph batch', () => {
  it('computes the newest snapshot, one as of a time, a range, and what is stale', async () => {
    const own = await projectWith(4_000)
    const range = ['batch', '--from', '2026-01-02T00:00:00Z', '--to', '2026-01-05T12:00:00Z']
    expect(await run(own, ...range, '--created-after', '30m')).toEqual({
      code: 0,
      stderr: '',
      stdout:
        'spending: 4 snapshots from 2026-01-02T00:00:00.000000Z to 2026-01-05T00:00:00.000000Z over 800 events, 2000 rows written\n',
    })
    expect((await run(own, ...range)).stdout).toContain('over 800 events, 0 rows written')
    expect((await run(own, 'batch', 'spending', '--as-of', '2026-01-06T18:30:00+01:00')).stdout).toBe(
      'spending: the snapshot of 2026-01-06T00:00:00.000000Z over 1000 events, 1000 rows written\n',
    )
    const weekly = [
      'batch',
      '--from',
      '2026-01-08T00:00:00Z',
      '--to',
      '2026-01-20T00:00:00Z',
      '--every',
      '7d',
    ]
    expect((await run(own, ...weekly)).stdout).toContain('2 snapshots from 2026-01-08T00:00:00.000000Z')
    expect((await run(own, 'batch', '--stale')).stdout).toBe('spending: no snapshot is stale\n')
    const newest = await run(own, 'batch')
    expect(newest.stdout).toMatch(
      /^spending: the snapshot of 20.*T00:00:00.000000Z over 0 events, 1400 rows written\n$/,
    )
    const { rows } = await pool.query(
      `select count(*)::int as n, bool_and(created_timestamp = event_timestamp + interval '30 minutes') as known
       from features_${own.PROJECT}.spending where event_timestamp < '2026-01-05T12:00:00Z'`,
    )
    expect(rows).toEqual([{ n: 2_000, known: true }])
    const runs = await run(own, 'runs', '--kind', 'batch')
    expect(runs.stdout.match(/SUCCEEDED/g)).toHaveLength(6)
  })

  /** A project with 400 imported events of January 2026, over twenty days and 40 customers. */
  async function projectWithFile(): Promise<Settings & { readonly FILES: string }> {
    const own = { ...settings(), FILES: join(folder, 'files') }
    await applyFolder(own)
    const events = Array.from({ length: 400 }, (_, index) => ({
      ts: new Date(Date.UTC(2026, 0, 1) + index * 72 * 60_000).toISOString(),
      ...{ customer_id: 1 + (index % 40), amount: index / 3, shop: `s${index % 13}` },
    }))
    const file = join(folder, `${own.PROJECT}.ndjson`)
    await writeFile(file, events.map((event) => `${JSON.stringify(event)}\n`).join(''))
    expect(await run(own, 'import', 'payments', file)).toMatchObject({ code: 0 })
    return own
  }

  it('computes on DuckDB what Postgres computes, and takes the rows of files as its own', async () => {
    const own = await projectWithFile()
    const range = ['--from', '2026-01-02T00:00:00Z', '--to', '2026-01-12T00:00:00Z']
    const onEngine = await run(own, 'batch', 'spending', '--engine', 'duckdb', ...range)
    expect(onEngine).toMatchObject({
      code: 0,
      stderr:
        'spending: exporting the events of "payments", for windows of up to 7d\nspending: computing 11 snapshots on duckdb\n',
    })
    expect(onEngine.stdout).toMatch(
      /^spending: 11 snapshots from 2026-01-02T.* to 2026-01-12T.* on duckdb, (\d{3}) rows computed, \1 rows written\n$/,
    )
    expect((await run(own, 'batch', ...range)).stdout).toMatch(/over \d+ events, 0 rows written/)
    // Over the export of that run, into a folder, without a database.
    const events = join(own.FILES, own.PROJECT, 'exports', 'payments')
    const out = join(folder, `out-${own.PROJECT}`)
    const alone = { ...own, OFFLINE_URL: 'postgres://nobody@127.0.0.1:1/none' }
    const given = ['batch', 'spending', '--engine', 'duckdb', '--events', events, '--out', out]
    expect(await run(alone, ...given, ...range)).toMatchObject({ code: 0 })
    const taken = await run(own, 'batch', 'spending', '--from-files', out)
    expect(taken).toMatchObject({ code: 0, stderr: '' })
    expect(taken.stdout).toMatch(/^spending: 11 snapshots from .* of .*, \d{3} rows read, 0 rows written\n$/)
    const chosen = await run(own, 'batch', 'spending', '--from-files', out, '--as-of', '2026-01-03T12:00:00Z')
    expect(chosen.stdout).toContain('the snapshot of 2026-01-03T00:00:00.000000Z of')
    // Again into the folder, which has those rows: nothing, and then what is new.
    const again = await run(alone, ...given, ...range)
    expect(again.stdout).toMatch(
      /^spending: 11 snapshots from .* on duckdb, \d{3} rows computed, 0 rows written in /,
    )
    const more = await run(alone, ...given, '--as-of', '2026-01-20T00:00:00Z', '--created-after', '1h')
    expect(more.stdout).toMatch(/on duckdb, (\d+) rows computed, \1 rows written in /)
    expect(more.stderr).toMatch(
      /^spending: computing 1 snapshot on duckdb\nspending: \d+ values outside of what is expected; first: total: /,
    )
    expect(await filesIn(out)).toEqual(['_SUCCESS', '_snapshots.json', 'data', 'snapshots'])
    expect((await run(alone, ...given.slice(0, -1), events, ...range)).stderr).toMatch(
      /is an export, whose next run removes/,
    )
  })

  it('ends a run on an engine with the engine, and records it as cancelled', async () => {
    const own = await projectWithFile()
    // It says that it runs, and goes on until it is ended.
    const submit = `${process.execPath} -e "console.log('submitted'); setInterval(() => {}, 1000)" --`
    const onSpark = { ...own, SPARK_SUBMIT: submit, LOG_LEVEL: 'debug' }
    const question = ['batch', 'spending', '--engine', 'spark', '--as-of', '2026-01-05T00:00:00Z']
    const running = start(onSpark, ...question)
    await waitUntil(() => running.output.stderr.includes('submitted'), 'submitted')
    running.child.kill('SIGTERM')
    const { code, stderr } = await running.ended
    expect(code).toBe(1)
    expect(stderr).toContain('cancelled by SIGTERM: nothing of the snapshots under way was written')
    expect((await run(own, 'runs', '--kind', 'batch')).stdout).toMatch(/spending +CANCELLED/)
  })

  it('says what is wrong with its arguments', async () => {
    const own = settings()
    await applyFolder(own)
    const cases: readonly (readonly [args: readonly string[], said: RegExp])[] = [
      [['plain'], /not computed in batch by their definition: plain/],
      [['spendnig'], /there is no feature view "spendnig"; did you mean "spending"\?/],
      [['--as-of', 'yesterday'], /--as-of expects an RFC 3339 timestamp .*; got "yesterday"/],
      [['--as-of', '2126-01-01T00:00:00Z'], /--as-of has not come yet/],
      [['--to', '2026-01-01T00:00:00Z'], /a range of snapshots needs --from/],
      [
        ['--stale', '--as-of', '2026-01-01T00:00:00Z'],
        /expected one of --as-of, --from with --to, and --stale/,
      ],
      [
        ['--from', '2026-01-01T00:00:00Z', '--every', '36h'],
        /--every expects a multiple of 1d, the step of feature view "spending"; got 36h/,
      ],
      [['--from', '2026-01-01T00:00:00Z', '--created-after', 'soon'], /--created-after expects a duration/],
      [
        ['--from', '2026-01-01T01:00:00Z', '--to', '2026-01-01T02:00:00Z'],
        /there is no snapshot time .* they are the multiples of 1d from 1970 in UTC/,
      ],
      [
        ['--from-files', 'rows', '--stale'],
        /--stale cannot stand beside --from-files: the files say what was computed/,
      ],
      [['--engine', 'flink'], /--engine expects one of postgres, duckdb, spark; got "flink"/],
      [['--out', 'rows'], /--out cannot stand beside Postgres as the engine/],
      [
        ['--engine', 'duckdb', '--out', 'rows', '--stale'],
        /--stale cannot stand beside --out: a folder has no pushed rows and knows of no later events/,
      ],
      [
        ['--engine', 'duckdb'],
        /batch on duckdb needs a folder for exported events and what duckdb computes: set FEATUREGRAPH_FILES/,
      ],
      [['--from-files', 'no-such-folder'], /the folder no-such-folder cannot be read: ENOENT/],
    ]
    const outcomes = await Promise.all(cases.map(([args]) => run(own, 'batch', ...args)))
    outcomes.forEach(({ code, stdout, stderr }, index) => {
      expect([code, stdout]).toEqual([1, ''])
      expect(stderr).toMatch(cases[index]?.[1] ?? /never/)
      expect(stderr).toMatch(/^featuregraph: [^\n]+\n$/)
    })
  })

  // In the suite: test/ingest/snapshots computes the same snapshots again in any order, and test/ingest/materialize fails in the middle.
  it.runIf(isLong)(
    'and materialize, killed anywhere and run again, leave what one clean run leaves',
    async () => {
      const range = [
        '--from',
        '2026-01-02T00:00:00Z',
        '--to',
        '2026-01-21T00:00:00Z',
        '--created-after',
        '30m',
      ]
      const events = 60_000
      const [clean, killed] = await Promise.all([projectWith(events), projectWith(events)])
      await run(clean, 'batch', ...range)
      await run(clean, 'materialize', 'spending')
      const batchProgress = `select from pg_stat_progress_copy as c where relid = to_regclass('features_${killed.PROJECT}.spending')`
      for (const pause of [0, 60, 200]) await killWhen(start(killed, 'batch', ...range), batchProgress, pause)
      expect((await run(killed, 'batch', ...range)).code).toBe(0)
      const running = `select from featuregraph.runs where project = '${killed.PROJECT}' and kind = 'MATERIALIZE' and state = 'RUNNING'`
      for (const pause of [0, 20]) await killWhen(start(killed, 'materialize', 'spending'), running, pause)
      const last = await run(killed, 'materialize', 'spending')
      // A run that was killed late may have materialized everything.
      expect(last.stdout).toMatch(/spending: (2000|0) rows read, /)
      expect(await everything(killed)).toEqual(await everything(clean))
      const { rows } = await pool.query(
        `select state, count(*)::int from featuregraph.runs where project = $1 group by state order by state`,
        [killed.PROJECT],
      )
      expect(rows.map(({ state }) => state)).toEqual(['INTERRUPTED', 'SUCCEEDED'])
      // Nothing new to materialize after either.
      for (const own of [clean, killed])
        expect((await run(own, 'materialize', 'spending')).stdout).toMatch(/: 0 rows read, /)
    },
  )
})

/** The names up to what differs from run to run, each once. */
async function filesIn(place: string): Promise<readonly string[]> {
  const names = (await readdir(place)).map((name) => /^(?:_.*|[a-z]+)/.exec(name)?.[0] ?? name)
  return [...new Set(names)].sort()
}

/** Kills the command a moment after the query has found something; it may have ended by itself. */
async function killWhen({ child, ended }: Running, query: string, pauseMs: number): Promise<void> {
  try {
    while (child.exitCode === null) {
      const { rowCount } = await pool.query(query)
      if ((rowCount ?? 0) > 0) break
      await sleep(2)
    }
    await sleep(pauseMs)
  } finally {
    child.kill('SIGKILL')
  }
  await ended
}

/** What the runs leave, but for their moments and ids. */
async function everything({ PROJECT }: Settings): Promise<unknown> {
  const { rows } = await pool.query({
    rowMode: 'array',
    text: `select
      (select array_agg(r order by customer_id, event_timestamp, row_id) from (
        select customer_id, event_timestamp, created_timestamp, n, total, shops, closing, 0 as row_id from features_${PROJECT}.spending) as r)::text,
      (select array_agg(array[key[1], value, event_timestamp::text] order by key, event_timestamp, value) from featuregraph.violations where project = $1),
      (select array_agg(as_of order by as_of) from featuregraph.snapshots where project = $1)::text`,
    values: [PROJECT],
  })
  return rows[0]
}
