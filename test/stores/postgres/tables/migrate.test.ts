import { randomUUID } from 'node:crypto'
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type pg from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MigrationFailed, StoreFailed } from '../../../../src/errors.ts'
import { migrate } from '../../../../src/stores/postgres/tables/migrate.ts'
import { execute } from '../../../services/postgres.ts'
import { postgresUrl } from '../../../services/postgres-url.ts'
import { migrationsFolder } from '../../../services/template.ts'
import { testPool } from '../../../services/test-pool.ts'

describe('migrate', () => {
  let folder: string
  let database: string
  let url: string
  let pool: pg.Pool

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'featuregraph-migrations-'))
    // An empty one: those of createTestDatabase have the migrations already.
    database = `test_${randomUUID().replaceAll('-', '')}`
    await execute(postgresUrl(), `create database ${database}`)
    const there = new URL(postgresUrl())
    there.pathname = `/${database}`
    url = there.href
    pool = testPool(url, 4, null)
  })
  afterEach(async () => {
    await pool.end()
    await execute(postgresUrl(), `drop database ${database} with (force)`)
    await rm(folder, { recursive: true, force: true })
  })

  const file = async (name: string, sql: string): Promise<void> => await writeFile(join(folder, name), sql)
  const there = async (relation: string): Promise<boolean> =>
    (await pool.query<{ oid: string | null }>('select to_regclass($1) as oid', [relation])).rows[0]?.oid !==
    null
  const applied = async (): Promise<string[]> =>
    (await pool.query<{ name: string }>('select name from featuregraph.migrations order by name')).rows.map(
      (row) => row.name,
    )

  it("applies the project's own files, and nothing the second time", async () => {
    const names = await migrate(pool, migrationsFolder)
    expect(names).toEqual([...names].sort())
    expect(names).toEqual(expect.arrayContaining(['0001_registry.sql', '0002_online_rows.sql']))
    expect(await applied()).toEqual(names)
    expect(await there('featuregraph.online_rows')).toBe(true)
    expect(await migrate(pool, migrationsFolder)).toEqual([])
    expect(await applied()).toEqual(names)
  })

  it('applies files in the order of their numbers, those that are new only, and skips other files', async () => {
    await file('0002_second.sql', 'insert into steps values (2)')
    await file('0001_first.sql', 'create table steps (n int); insert into steps values (1);')
    await file('README.md', 'not SQL')
    await file('notes.sql', 'nor this')
    expect(await migrate(pool, folder)).toEqual(['0001_first.sql', '0002_second.sql'])
    await file('0010_tenth.sql', 'insert into steps values (10)')
    await file('0003_third.sql', 'insert into steps values (3)')
    expect(await migrate(pool, folder)).toEqual(['0003_third.sql', '0010_tenth.sql'])
    const { rows } = await pool.query('select array_agg(n) as steps from steps')
    expect(rows).toEqual([{ steps: [1, 2, 3, 10] }])
  })

  it('takes turns: of several at once one applies, the others find it done', async () => {
    await file('0001_slow.sql', 'select pg_sleep(0.2); create table once (n int);')
    const pools = [1, 2, 3].map(() => testPool(url, 1, null))
    const answers = await Promise.all(pools.map((one) => migrate(one, folder)))
    expect(answers.filter((names) => names.length > 0)).toEqual([['0001_slow.sql']])
    await Promise.all(pools.map((one) => one.end()))
  })

  it('refuses a file that was changed after it was applied', async () => {
    await file('0001_first.sql', 'create table one (n int)')
    await migrate(pool, folder)
    await file('0001_first.sql', 'create table one (n bigint)')
    await file('0002_second.sql', 'create table two (n int)')
    const failure = migrate(pool, folder)
    await expect(failure).rejects.toBeInstanceOf(MigrationFailed)
    await expect(failure).rejects.toThrow(
      'migration 0001_first.sql was changed after it was applied; migrations are append-only',
    )
    expect(await there('two')).toBe(false)
  })

  it('refuses a database that a newer version has migrated', async () => {
    await cp(migrationsFolder, folder, { recursive: true })
    await file('9999_later.sql', 'create table later (n int)')
    await migrate(pool, folder)
    const failure = migrate(pool, migrationsFolder)
    await expect(failure).rejects.toBeInstanceOf(MigrationFailed)
    await expect(failure).rejects.toThrow(
      'the database has migration 9999_later.sql, which this version lacks; run the newer version',
    )
  })

  it('leaves nothing behind when a file fails, says which and why, and can be run again', async () => {
    await file('0001_first.sql', 'create table one (n int)')
    await file('0002_second.sql', 'create table two (n int); select 1 / 0;')
    const failure = migrate(pool, folder)
    await expect(failure).rejects.toBeInstanceOf(MigrationFailed)
    await expect(failure).rejects.toThrow('migration 0002_second.sql failed: division by zero')
    expect([await there('one'), await there('two'), await there('featuregraph.migrations')]).toEqual([
      false,
      false,
      false,
    ])
    await file('0002_second.sql', 'create table two (n int)')
    expect(await migrate(pool, folder)).toEqual(['0001_first.sql', '0002_second.sql'])
  })

  it('rejects with StoreFailed when there is no server', async () => {
    const nowhere = testPool('postgres://postgres@127.0.0.1:1/nothing', 1, null)
    await expect(migrate(nowhere, migrationsFolder)).rejects.toBeInstanceOf(StoreFailed)
    await nowhere.end()
  })
})
