import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findRowsBy } from '../../../src/stores/duckdb/joins/find-rows.ts'
import type { JoinedRead } from '../../../src/stores/file-join.ts'
import { foundColumns, sparkJoinScript } from '../../../src/stores/join-sql/spark-script.ts'
import { duckDb } from '../../../src/stores/join-sql/sql-dialect.ts'
import { sparkEngine } from '../../../src/stores/spark/spark-engine.ts'
import { windowStart } from '../../../src/windows/hop.ts'
import { isLong } from '../../services/long-run.ts'
import { sparkSubmit } from '../../services/spark.ts'
import { answersOf, expectAnswers } from '../join-sql/compare-answers.ts'
import { caseTimes, eventFields, joinCases } from '../join-sql/join-cases.ts'
import { type JoinWorld, joinWorld, writeJoinWorld } from '../join-sql/join-world.ts'

const verified = new URL('../../golden/joins-verified-on-spark.json', import.meta.url)
const { from, to } = caseTimes

const joinWorlds = 8

type JoinedWorld = Awaited<ReturnType<typeof writeJoinWorld>>

function worldScript({ spine }: JoinWorld, place: string, join: JoinedWorld): string {
  const times = spine.map(({ t }) => t)
  const starts = join.reads.flatMap((read) =>
    read.kind === 'ROWS'
      ? []
      : read.aggregations.map(({ windowMicros, hopMicros }) =>
          windowStart(Math.min(...times), windowMicros, hopMicros),
        ),
  )
  return sparkJoinScript(join, {
    ...{ spine: `${place}/spine.parquet`, output: `${place}/found` },
    columns: join.reads.map(() => new Map()),
    span: { from: Math.min(...starts), to: Math.max(...times) },
  })
}

/** Rows, events and a spine of few keys and moments, so that ties and exact hits are common. */
async function writeWorld(connection: DuckDBConnection, folder: string, reads: readonly JoinedRead[]) {
  const moment = (n: string): string => `make_timestamptz(${from} + ((${n}) * 1800000000) % ${to - from})`
  const shop = `'shop ' || (i * 7) % 4`
  await connection.run(
    `copy (select i as place, ${from} + (i * 1700000000) % ${to - from} as t, ${shop} as key_0, (i % 3)::INTEGER as key_1 from range(400) as r(i)) to '${folder}/spine.parquet' (format parquet)`,
  )
  await mkdir(path.join(folder, 'profile'), { recursive: true })
  await mkdir(path.join(folder, 'sales'), { recursive: true })
  const values: Readonly<Record<string, string>> = {
    ...{
      int64: '9007199254740993 + i',
      float64: 'sin(i)',
      bool: 'i % 2 = 0',
      string: "'text ' || i",
      'string[]': "['x', 'y ' || i]",
    },
    ...{ timestamp: moment('i'), 'decimal(2)': '(i / 100.0)::DECIMAL(18,2)', bytes: "('b' || i)::BLOB" },
  }
  const features = reads.flatMap((read) => (read.kind === 'ROWS' ? read.features : []))
  const own = features.map(
    ({ name, type }) => `case when i % 7 = 1 then null else ${values[type]} end as "${name}"`,
  )
  await connection.run(
    `copy (select ${shop} as shop, (i % 3)::INTEGER as shelf, ${moment('i * 5 % 23')} as event_timestamp, case when i % 4 = 0 then null else ${moment('i * 3 % 24')} end as created_timestamp, i as row_id, i % 11 = 0 as closing, ${own.length === 0 ? '1 as nothing' : own.join(', ')} from range(300) as r(i)) to '${folder}/profile/part.parquet' (format parquet)`,
  )
  const fields = Object.entries(eventFields).filter(
    ([name]) => !['shop', 'shelf', 'baker', 'pieces'].includes(name),
  )
  const filled = fields.map(
    ([name, type]) => `case when i % 6 = 1 then null else ${values[type]} end as "${name}"`,
  )
  await connection.run(
    `copy (select ${shop} as shop, (i % 3)::INTEGER as shelf, case when i % 5 = 0 then null when i % 5 = 1 then 'o''ada' else 'baker ' || i % 3 end as baker, case when i % 97 = 3 then 9223372036854775807 else i % 9 end as pieces, ${filled.join(', ')}, ${moment('i * 7 % 97')} as event_timestamp, ${moment('i * 7 % 97')} as _counted_at, ${moment('i * 7 % 97 + i % 3')} as _stored_at, 'topic' as _topic, (i % 2)::INTEGER as _partition, i as _offset, i % 13 <> 0 as counts from range(600) as r(i)) to '${folder}/sales/part.parquet' (format parquet)`,
  )
}

/** The suite holds the same promises of DuckDB and Postgres (`test/stores/join-sql/`, `test/historical/engines.test.ts`). */
describe('the joins of training sets by Spark', () => {
  let folder: string
  let instance: DuckDBInstance
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'featuregraph-spark-joins-'))
    instance = await DuckDBInstance.create(':memory:', { threads: '2' })
  })
  afterAll(async () => {
    instance?.closeSync()
    await rm(folder, { recursive: true, force: true })
  })

  it.runIf(isLong)(
    'find what DuckDB finds, by the committed scripts, and what the oracle has, in any world',
    async () => {
      const submit = await sparkSubmit()
      if (submit === null) throw new Error('no Python 3.10 or later to run Spark by')
      const connection = await instance.connect()
      await connection.run(`set timezone = 'UTC'`)
      const digests: Record<string, string> = {}
      const scripts: string[] = []
      const worlds: { readonly world: JoinWorld; readonly place: string; readonly join: JoinedWorld }[] = []
      for (const [index, world] of fc.sample(joinWorld, joinWorlds).entries()) {
        const place = path.join(folder, `world-${index}`)
        const join = await writeJoinWorld(connection, place, world)
        worlds.push({ world, place, join })
        scripts.push(worldScript(world, place, join))
      }
      for (const [name, { reads }] of Object.entries(joinCases)) {
        const place = path.join(folder, name)
        await mkdir(place, { recursive: true })
        await writeWorld(connection, place, reads)
        const committed = await readFile(
          new URL(`../../golden/join-scripts/${name}.spark.sql`, import.meta.url),
          'utf8',
        )
        digests[name] = createHash('sha256').update(committed).digest('hex')
        scripts.push(committed.replaceAll('/lake/', `${place}/`))
      }
      const output = path.join(folder, Object.keys(joinCases).at(-1) ?? '', 'found')
      await sparkEngine({ submit }).run(
        { name: 'joins', sql: scripts.join(''), inputs: [folder], output },
        { signal: new AbortController().signal, onLog: () => {} },
      )
      for (const [name, { reads, knownAt }] of Object.entries(joinCases)) {
        const place = path.join(folder, name)
        const one = await instance.connect()
        await one.run(
          `set timezone = 'UTC'; create temp table spine as select * from read_parquet('${place}/spine.parquet')`,
        )
        const placed = reads.map((read) => {
          const of = read.kind === 'ROWS' ? 'profile' : 'sales'
          const file = { path: `${place}/${of}/part.parquet`, bytes: 0, checksum: '' }
          return { ...read, files: { of, path: `${place}/${of}`, files: [file] } }
        })
        const found = await findRowsBy(async () => null)(
          one,
          { reads: placed, knownAt },
          { times: caseTimes },
        )
        for (const [index, read] of reads.entries()) {
          const differs = foundColumns(read).map((column) => {
            const type = read.features[Number(column.slice(1))]?.type
            const spark =
              type === undefined ? `s.${column}_${index}` : `s.${column}_${index}::${duckDb.typeOf(type)}`
            return type === 'float64'
              ? `(d.${column} is null) <> (${spark} is null) or abs(d.${column} - ${spark}) > 1e-9 * greatest(1, abs(${spark}))`
              : `d.${column} is distinct from ${spark}`
          })
          const reader = await one.runAndReadAll(
            `select s.*, d.* from read_parquet('${place}/found/*.parquet') as s left join ${found[index]} as d on d.place = s.place where ${differs.join(' or ')} limit 2`,
          )
          expect(reader.getRowObjectsJson(), `${name}, read ${index}`).toEqual([])
          const there = await one.runAndReadAll(`select count(*)::INTEGER from ${found[index]}`)
          expect(Number(there.getRows()[0]?.[0])).toBeGreaterThan(100)
        }
        one.disconnectSync()
      }
      let present = 0
      for (const { world, place, join } of worlds) {
        const answers = join.reads.map(({ features }, index) => {
          const values = features.map((_, at) => `, f${at}_${index}`).join('')
          const files = `read_parquet('${place}/found/*.parquet')`
          return answersOf(
            connection,
            world,
            `select place, e_${index}${values} from ${files} where e_${index} is not null`,
          )
        })
        present += expectAnswers(world, await Promise.all(answers))
      }
      expect(present).toBeGreaterThan(10 * joinWorlds)
      connection.disconnectSync()
      await writeFile(verified, `${JSON.stringify(digests, null, 2)}\n`)
    },
    600_000,
  )
})
