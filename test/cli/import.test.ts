import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DuckDBInstance } from '@duckdb/node-api'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { newProject } from '../server/start-test-gateway.ts'
import { applyFolder } from '../services/apply-folder.ts'
import { isLong } from '../services/long-run.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { testPool } from '../services/test-pool.ts'
import { startCommand } from './start-command.ts'

let folder: string
let database: TestDatabase
let pool: pg.Pool
beforeAll(async () => {
  ;[folder, database] = await Promise.all([
    mkdtemp(join(tmpdir(), 'featuregraph-import-cli-')),
    createTestDatabase(),
  ])
  pool = testPool(database.url, 2)
  await mkdir(join(folder, 'schema'))
  await writeFile(
    join(folder, 'schema', 'world.mjs'),
    `export const customer = { kind: 'entity', name: 'customer', joinKeys: { customer_id: 'int64' } }
     export const payments = { kind: 'event-source', name: 'payments', eventTimestamp: 'ts', fields: { customer_id: 'int64', amount: { type: 'float64', expect: { max: 90000 } } } }
     export const counts = { kind: 'windowed-view', name: 'counts', entity: 'customer', source: 'payments', compute: { mode: 'batch', every: '1d' },
       features: { n: { aggregate: 'count', window: '30d' } } }`,
  )
})
afterAll(async () => {
  await pool?.end()
  await Promise.all([rm(folder, { recursive: true, force: true }), database?.drop()])
})

const settings = async () => {
  const own = {
    OFFLINE_URL: database.url,
    ONLINE_URL: inject('redisUrl'),
    PROJECT: newProject(),
    SCHEMA: join(folder, 'schema'),
    LOG_LEVEL: 'error',
  }
  await applyFolder(own)
  return own
}

describe.concurrent('featuregraph import', () => {
  it('brings files in, prints a line for each, and the same ones again add nothing', async () => {
    await writeFile(
      join(folder, 'a-1.csv'),
      'ts,customer_id,amount\n2026-01-05T08:00:00Z,1,2.5\n2026-01-05T08:00:00Z,x,1\n',
    )
    await writeFile(join(folder, 'a-2.csv'), 'ts,customer_id,amount\n2026-01-06T08:00:00Z,2,3.5\n')
    const own = await settings()
    const run = (...args: readonly string[]) =>
      startCommand(['import', 'payments', ...args], own, folder).ended
    const pattern = join(folder, 'a-*.csv')
    const dry = await run('--dry-run', pattern)
    expect(dry.stdout).toMatch(
      /^payments: .*a-1\.csv: dry run, nothing written: 2 rows read, 1 stored, 1 quarantined .*\n {2}row 2: customer_id: /,
    )
    const first = await run(pattern, join(folder, 'a-1.csv'))
    expect(first).toMatchObject({ code: 0, stderr: '' })
    expect(first.stdout.split('\n')).toEqual([
      expect.stringMatching(
        /^payments: .*a-1\.csv: 2 rows read, 1 stored, 1 quarantined \(1 wrong type\), 0 rejected, 0 violations, in [\d.]+ s, \d+ rows a second$/,
      ),
      '  row 2: customer_id: expected a 64-bit integer, got "x"',
      expect.stringMatching(/^payments: .*a-2\.csv: 1 rows read, 1 stored, 0 quarantined, 0 rejected/),
      '',
    ])
    const again = await run(pattern)
    expect(again.stdout).toMatch(/^(payments: .*a-[12]\.csv: already imported\n){2}$/)
  })

  it('refuses what it does not know, and ends with exit code 1', async () => {
    const own = await settings()
    await writeFile(join(folder, 'bad.csv'), 'ts,customer_id,amount\n2026-01-05T08:00:00Z,x,1\n')
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [['paymnets', 'x.csv'], /no event source or file source "paymnets"; did you mean "payments"\?/],
      [
        ['payments', '--on-error', 'stop', join(folder, 'bad.csv')],
        /bad\.csv: row 1: customer_id: expected a 64-bit integer, got "x"/,
      ],
      [
        ['payments', '--max-quarantined', '0', join(folder, 'bad.csv')],
        /bad\.csv: payments: 1 of 1 rows read would be quarantined, more than 0; nothing of the file was imported\. .*\n {2}row 1: customer_id: /,
      ],
    ]
    const outcomes = await Promise.all(
      cases.map(([args]) => startCommand(['import', ...args], own, folder).ended),
    )
    outcomes.forEach(({ code, stdout, stderr }, index) => {
      expect([code, stdout]).toEqual([1, ''])
      expect(stderr).toMatch(/^featuregraph: /m)
      expect(stderr).toMatch(cases[index]?.[1] ?? /never/)
    })
  })

  it('imports the files behind a refused one, and ends by naming what was refused, with exit code 1', async () => {
    const [good, bad, none, last] = ['d-1.csv', 'd-2.csv', 'd-3.csv', 'd-4.csv'].map((name) =>
      join(folder, name),
    )
    for (const file of [good ?? '', last ?? ''])
      await writeFile(file, `ts,customer_id,amount\n2026-01-05T08:00:00Z,1,${file === good ? 1 : 2}\n`)
    await writeFile(bad ?? '', 'ts,customer_id,amount\n2026-01-05T08:00:00Z,x,1\n')
    await writeFile(none ?? '', 'ts,customer\n2026-01-05T08:00:00Z,1\n')
    const run = startCommand(['import', 'payments', join(folder, 'd-*.csv')], await settings(), folder)
    const { code, stdout, stderr } = await run.ended
    expect(code).toBe(1)
    expect(stdout).toMatch(
      /^payments: .*d-1\.csv: 1 rows read, 1 stored.*\npayments: .*d-4\.csv: 1 rows read/,
    )
    expect(stderr).toMatch(/^featuregraph: .*d-2\.csv: payments: 1 of 1 rows read would be quarantined/)
    expect(stderr).toMatch(/\nfeaturegraph: .*d-3\.csv: /)
    expect(stderr).toContain(
      `featuregraph: 2 of 4 files refused, for the reasons above; the others are imported, and add nothing when they come again:\n  ${bad}\n  ${none}\n`,
    )
  })

  it('goes by the applied definitions, adds no column, and says how many changes of the files are not applied', async () => {
    const grown = join(folder, 'grown')
    await mkdir(grown)
    const schema = await readFile(join(folder, 'schema', 'world.mjs'), 'utf8')
    await writeFile(
      join(grown, 'world.mjs'),
      schema.replace("fields: { customer_id: 'int64',", "fields: { customer_id: 'int64', shop: 'string',"),
    )
    const own = { ...(await settings()), SCHEMA: grown, LOG_LEVEL: 'warn' }
    const file = join(folder, 'c-1.csv')
    await writeFile(file, 'ts,customer_id,amount,shop\n2026-01-05T08:00:00Z,1,2.5,a\n')
    const { code, stdout, stderr } = await startCommand(['import', 'payments', file], own, folder).ended
    expect([code, stdout]).toEqual([0, expect.stringContaining('1 rows read, 1 stored')])
    expect(stderr).toContain(`1 change of the definitions in ${grown} is not applied; `)
    const { rows } = await pool.query(
      `select from information_schema.columns where table_schema = $1 and column_name = 'shop'`,
      [`events_${own.PROJECT}`],
    )
    expect(rows).toEqual([])
  })

  // In the suite: test/ingest/verdicts/one-event-id and test/ingest/files/import-whole-files end imports in the middle.
  it.runIf(isLong)('killed anywhere and run again is the same as one clean run', async () => {
    const rows = 200_000
    const file = join(folder, 'big.parquet')
    const duckDb = await DuckDBInstance.create(':memory:')
    const connection = await duckDb.connect()
    // One row in fifteen thousand has no timestamp; one in three thousand is above its maximum.
    await connection.run(
      `copy (select case when i % 15000 <> 7 then make_timestamptz(1767225600000000 + (i * 7776000000000 // ${rows})) end as ts,
        i % 1000 as customer_id, case when i % 3000 = 11 then 100000 else i % 97 end::double as amount from range(${rows}) t(i)) to '${file}' (format parquet)`,
    )
    connection.disconnectSync()
    duckDb.closeSync()
    const clean = await settings()
    const killed = await settings()
    const first = await startCommand(['import', 'payments', file], clean, folder).ended
    expect(first.stdout).toMatch(
      /200000 rows read, 199986 stored, 14 quarantined \(14 timestamp without meaning\), 0 rejected, 67 violations/,
    )

    const busy = async (): Promise<boolean> => {
      const { rowCount } = await pool.query(
        'select from pg_stat_progress_copy where relid = to_regclass($1) and tuples_processed > 0',
        [`events_${killed.PROJECT}.payments`],
      )
      return (rowCount ?? 0) > 0
    }
    const { child, ended } = startCommand(['import', 'payments', file], killed, folder)
    try {
      while (child.exitCode === null && !(await busy())) await sleep(5)
      await sleep(150)
    } finally {
      child.kill('SIGKILL')
    }
    expect((await ended).code).toBeNull()
    const again = await startCommand(['import', 'payments', file], killed, folder).ended
    expect(again.stdout).toMatch(/200000 rows read, 199986 stored/)
    const [one, two] = await Promise.all([clean, killed].map(({ PROJECT }) => everything(PROJECT)))
    expect(two).toEqual(one)
    const { rows: runs } = await pool.query(
      'select state from featuregraph.runs where project = $1 order by started_at',
      [killed.PROJECT],
    )
    expect(runs).toEqual([{ state: 'INTERRUPTED' }, { state: 'SUCCEEDED' }])
  })
})

/** What an import leaves, but for its moments. */
async function everything(project: string): Promise<unknown> {
  const { rows } = await pool.query({
    rowMode: 'array',
    text: `select
      (select array[count(*), sum("offset"), sum(extract(epoch from event_timestamp)), sum(amount::numeric), count(distinct topic_id)] from events_${project}.payments),
      (select array_agg(row_number order by id) from featuregraph.quarantine where project = $1),
      (select array_agg(key[1] || value order by id) from featuregraph.violations where project = $1),
      (select array[count(*), sum(extract(epoch from hour))] from featuregraph.event_arrivals where project = $1),
      (select array_agg(array[digest, rows_read::text, rows_kept::text]) from featuregraph.imports where project = $1),
      (select array_agg(topic) from featuregraph.event_topics where project = $1)`,
    values: [project],
  })
  return rows[0]
}
