import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { answersSelect } from '../../src/stores/join-sql/answers-sql.ts'
import { newestRowStatements } from '../../src/stores/join-sql/newest-row-sql.ts'
import { sparkJoinScript } from '../../src/stores/join-sql/spark-script.ts'
import { duckDb } from '../../src/stores/join-sql/sql-dialect.ts'
import { windowsSelect } from '../../src/stores/join-sql/windows-sql.ts'
import { caseTimes, type JoinCase, joinCases } from '../stores/join-sql/join-cases.ts'
import { expectGolden, goldenFiles } from './golden-file.ts'

const verified = new URL('./joins-verified-on-spark.json', import.meta.url)
const places = { spine: '/lake/spine.parquet', output: '/lake/found', columns: [], span: caseTimes }

/** What DuckDB runs behind the rows of the files, whose text depends on what the files are. */
function duckDbText({ reads, knownAt }: JoinCase): string {
  const statements = reads.flatMap((read, index) => {
    const relations = { rows: `rows_${index}`, asked: `asked_${index}`, found: `found_${index}` }
    return read.kind === 'WINDOWS'
      ? [`create temp table ${relations.found} as\n${windowsSelect(read, relations, knownAt, duckDb)}`]
      : newestRowStatements(read, relations, knownAt)
  })
  const entries = reads.flatMap((read, index) =>
    read.features.map(({ name, type }, feature) => ({
      ...{ kind: 'feature' as const, name, type, default: 0, read: index, feature, allowed: null },
    })),
  )
  const found = reads.map((_, index) => `found_${index}`)
  const answers = answersSelect({ reads, entries }, { spine: 'spine', found })
  return [...statements, `create temp table answers as ${answers}`].map((one) => `${one};\n`).join('')
}

describe('the scripts of training sets', () => {
  it.each(Object.entries(joinCases))('are what is committed: %s', async (name, given) => {
    await expectGolden(`join-scripts/${name}.spark.sql`, sparkJoinScript(given, places))
    await expectGolden(`join-scripts/${name}.duckdb.sql`, duckDbText(given))
  })

  it('have no golden file that nothing makes', async () => {
    const made = Object.keys(joinCases).flatMap((name) => [`${name}.duckdb.sql`, `${name}.spark.sql`])
    expect(await goldenFiles('join-scripts')).toEqual(made.sort())
  })

  it('for Spark have each been run on Spark, with what DuckDB finds as the result (npm run test:long writes their digests)', async () => {
    const digests = JSON.parse(await readFile(verified, 'utf8')) as Readonly<Record<string, string>>
    const committed = await Promise.all(
      Object.keys(joinCases).map(async (name) => {
        const text = await readFile(new URL(`./join-scripts/${name}.spark.sql`, import.meta.url), 'utf8')
        return [name, createHash('sha256').update(text).digest('hex')] as const
      }),
    )
    expect(digests).toEqual(Object.fromEntries(committed))
  })
})
