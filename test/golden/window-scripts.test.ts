import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { snapshotsSql } from '../../src/stores/window-sql/snapshots-sql.ts'
import { goldenCases } from '../stores/window-sql/window-world.ts'
import { expectGolden, goldenFiles } from './golden-file.ts'

const places = { events: '/lake/events', output: '/lake/rows' }
const verified = new URL('./verified-on-spark.json', import.meta.url)

describe('the scripts of snapshots', () => {
  it.each(Object.entries(goldenCases))('are what is committed: %s', async (name, { view, ...request }) => {
    for (const dialect of ['spark', 'duckdb'] as const)
      await expectGolden(
        `window-scripts/${name}.${dialect}.sql`,
        snapshotsSql(view, { ...request, ...places }, dialect),
      )
  })

  it('have no golden file that nothing makes', async () => {
    const made = Object.keys(goldenCases).flatMap((name) => [`${name}.duckdb.sql`, `${name}.spark.sql`])
    expect(await goldenFiles('window-scripts')).toEqual(made.sort())
  })

  it('for Spark have each been run on Spark with the oracle’s rows as the result (npm run test:long writes their digests)', async () => {
    const digests = JSON.parse(await readFile(verified, 'utf8')) as Readonly<Record<string, string>>
    const committed = await Promise.all(
      Object.keys(goldenCases).map(async (name) => {
        const text = await readFile(new URL(`./window-scripts/${name}.spark.sql`, import.meta.url), 'utf8')
        return [name, createHash('sha256').update(text).digest('hex')] as const
      }),
    )
    expect(digests).toEqual(Object.fromEntries(committed))
  })
})
