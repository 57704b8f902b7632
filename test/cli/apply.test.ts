import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { historyText } from '../../src/cli/history.ts'
import { versionText } from '../../src/cli/version-text.ts'
import { currentVersion } from '../../src/registry/versions/apply.ts'
import { postgresVersionStore } from '../../src/stores/postgres/system/version-store.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { testPool } from '../services/test-pool.ts'
import { waitUntil } from '../services/wait-until.ts'
import { startCommand } from './start-command.ts'

let database: TestDatabase
let pool: pg.Pool
let home: string
beforeAll(async () => {
  database = await createTestDatabase()
  pool = testPool(database.url, 4, null)
  home = await mkdtemp(join(tmpdir(), 'featuregraph-apply-'))
})
afterAll(async () => {
  await pool.end()
  await database.drop()
  await rm(home, { recursive: true, force: true })
})

const customer = `export const customer = { kind: 'entity', name: 'customer', joinKeys: { customer_id: 'int64' } }\n`
const trips = (features: string): string =>
  `export const trips = { kind: 'feature-view', name: 'trips', entity: 'customer', features: { ${features} } }\n`

/** Definitions in a folder of their own. */
async function definitions(name: string, text: string): Promise<string> {
  await mkdir(join(home, name))
  await writeFile(join(home, name, 'schema.mjs'), text)
  return join(home, name)
}

function command(args: readonly string[], SCHEMA: string) {
  const settings = { SCHEMA, OFFLINE_URL: database.url, APPLIED_BY: 'ann@ci', LOG_LEVEL: 'info' }
  return startCommand(args, settings, home)
}

describe('featuregraph apply', () => {
  it('names file and line of every problem, and applies nothing', async () => {
    const folder = await definitions(
      'wrong',
      `${customer}\n${trips("n: 'int46', m: 'int64'")}${trips('')}syntax error`,
    )
    const { code, stdout, stderr } = await command(['apply'], folder).ended
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(
      /wrong\/schema\.mjs:\d+: the file cannot be loaded.*\n\n1 problem in the definitions of /,
    )
    expect(await postgresVersionStore(pool, 'default').newest()).toBe(0)
  })

  it('killed while it builds an index leaves the old version current; again it finishes, as history says', async () => {
    const versions = postgresVersionStore(pool, 'default')
    const one = await definitions('one', `${customer}${trips("n: 'int64'")}`)
    const first = await command(['apply', '--message', 'begin', '--json'], one).ended
    expect(JSON.parse(first.stdout)).toMatchObject({
      ...{ isNew: true, version: 1, appliedBy: 'ann@ci', message: 'begin' },
    })
    // An index that is built concurrently is not done while there are older snapshots.
    const reader = new pg.Client({ connectionString: database.url })
    await reader.connect()
    await reader.query('begin isolation level repeatable read; select 1')
    const two = await definitions('two', `${customer}${trips("n: 'int64', m: 'float64'")}`)
    const killed = command(['apply', '--message', 'why'], two)
    await waitUntil(
      async () => {
        const { rows } = await pool.query(
          `select from pg_stat_activity where query like 'create index concurrently%' and state = 'active'`,
        )
        return rows.length > 0
      },
      () => `the index is being built\n${killed.output.stderr}`,
    )
    killed.child.kill('SIGKILL')
    await killed.ended
    expect((await currentVersion(versions))?.version).toBe(1)
    const begun = await versions.begun()
    expect(begun).toMatchObject({ kind: 'APPLY', base: 1, by: 'ann@ci', message: 'why' })
    expect(begun?.done).toEqual(['column "m" of "features"."trips"'])
    await reader.end()
    await pool.query('update featuregraph.begun_applies set expires_at = now()')
    const text = historyText(await versions.begun(), await versions.list(null, 10), 'default')
    expect(text).toMatch(
      /^VERSION .*\nbegun .* ann@ci .*its process is gone: `featuregraph apply` finishes it\n1 .* begin\n$/,
    )
    const { code, stdout, stderr } = await command(['apply'], two).ended
    expect([code, stderr.includes('"level":50')]).toEqual([0, false])
    expect(stdout).toMatch(/feature view trips.*\nversion 2 is current\n$/)
    expect(await versions.begun()).toBeNull()
    const [stored, served] = [await versions.read(2), await currentVersion(versions)]
    if (!stored || !served) throw new Error('version 2 is current')
    expect(stored).toMatchObject({ appliedBy: 'ann@ci', message: 'why' })
    expect(versionText(stored, served)).toMatch(
      /^version 2, \S+Z, ann@ci: why \(featuregraph \S+\)\n\nchanges\n[\s\S]*feature views\n {2}trips of customer, pushed or imported, online\n {4}n: int64\n {4}m: float64\n$/,
    )
  })
})
