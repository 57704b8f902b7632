import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sparkEngine } from '../../../src/stores/spark/spark-engine.ts'
import { snapshotsSql } from '../../../src/stores/window-sql/snapshots-sql.ts'
import { isLong } from '../../services/long-run.ts'
import { sparkSubmit } from '../../services/spark.ts'
import { expectSnapshots } from '../window-sql/compare-snapshots.ts'
import { readRows, writeDriftedEvents, writeEvents } from '../window-sql/exported-files.ts'
import { goldenCases, randomWorld, type WindowWorld, worldOf } from '../window-sql/window-world.ts'

const verified = new URL('../../golden/verified-on-spark.json', import.meta.url)
const worldsOfGolden = 1
const randomWorlds = 8

interface PlacedWorld {
  readonly name: string
  readonly world: WindowWorld
  readonly output: string
}

function never(): never {
  throw new Error('no such world')
}

/**
 * The suite holds the same promise of the same worlds for DuckDB (`test/stores/window-sql/`), and that the committed Spark
 * scripts are those which were verified here (`test/golden/window-scripts.test.ts`).
 */
describe('snapshots by Spark', () => {
  let folder: string
  let instance: DuckDBInstance
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'featuregraph-spark-worlds-'))
    instance = await DuckDBInstance.create(':memory:', { threads: '2' })
  })
  afterAll(async () => {
    instance?.closeSync()
    await rm(folder, { recursive: true, force: true })
  })

  it.runIf(isLong)(
    'are those of the oracle, for the committed scripts, for any windows, hops, times and events, and for files of which the older lack a field',
    async () => {
      const submit = await sparkSubmit()
      if (submit === null) throw new Error('no Python 3.10 or later to run Spark by')
      const worlds = [
        ...Object.entries(goldenCases).flatMap(([name, given]) =>
          fc.sample(worldOf(given, 150), worldsOfGolden).map((world) => ({ name, world })),
        ),
        ...fc.sample(randomWorld, randomWorlds).map((world) => ({ name: 'random', world })),
        ...fc
          .sample(worldOf(goldenCases['every-kind'] ?? never(), 80), 1)
          .map((world) => ({ name: 'drifted', world })),
      ]
      const connection = await instance.connect()
      const scripts: string[] = []
      const placed: PlacedWorld[] = []
      const digests: Record<string, string> = {}
      for (const [index, { name, world: drawn }] of worlds.entries()) {
        const { view, times, previous } = drawn
        const [events, output] = [path.join(folder, `events-${index}`), path.join(folder, `rows-${index}`)]
        const isCommitted = name in goldenCases
        if (name !== 'drifted') await writeEvents(connection, events, drawn.events)
        const world = name === 'drifted' ? await writeDriftedEvents(connection, events, drawn) : drawn
        const committed = !isCommitted
          ? snapshotsSql(view, { times, previous, events: '/lake/events', output: '/lake/rows' }, 'spark')
          : await readFile(new URL(`../../golden/window-scripts/${name}.spark.sql`, import.meta.url), 'utf8')
        if (isCommitted) digests[name] = createHash('sha256').update(committed).digest('hex')
        scripts.push(committed.replace('/lake/events', events).replace('/lake/rows', output))
        placed.push({ name, world, output })
      }
      // One session for all of them.
      const { rows } = await sparkEngine({ submit }).run(
        {
          name: 'worlds',
          sql: scripts.join(''),
          inputs: [folder],
          output: placed.at(-1)?.output ?? '',
        },
        { signal: new AbortController().signal, onLog: () => {} },
      )
      let last = 0
      for (const { world, output } of placed) {
        const keys = world.view.entity.joinKeys.map(({ name }) => name)
        const written = await readRows(connection, output, keys)
        expectSnapshots(world, written)
        last = written.length
      }
      expect(rows).toBe(last)
      connection.disconnectSync()
      await writeFile(verified, `${JSON.stringify(digests, null, 2)}\n`)
    },
    // Spark compiles each of the scripts.
    1_800_000,
  )

  // The suite: `spark-engine.test.ts`, of local folders, which the engine checks before it starts anything.
  it.runIf(isLong)(
    'go to a folder of any file system of Spark: not over what no run left, and in place of what a run left that was ended',
    async () => {
      const submit = await sparkSubmit()
      if (submit === null) throw new Error('no Python 3.10 or later to run Spark by')
      const local = path.join(folder, 'one')
      const output = `file:${local}`
      const sql = `create or replace temporary view one as\nselect 1 as x;\ninsert overwrite directory '${output}' using parquet select x from one;\n`
      const run = () =>
        sparkEngine({ submit }).run(
          { name: 'one', sql, inputs: [], output },
          { signal: new AbortController().signal, onLog: () => {} },
        )
      await mkdir(local)
      await writeFile(path.join(local, 'part-00007.parquet'), 'half')
      await expect(run()).rejects.toThrow(/holds files that no run left/)
      await writeFile(`${local}.unfinished`, '')
      expect(await run()).toEqual({ rows: 1 })
      const entries = await readdir(local)
      expect(entries).toContain('_SUCCESS')
      expect(entries).not.toContain('part-00007.parquet')
      expect(await readdir(folder)).not.toContain('one.unfinished')
    },
    1_800_000,
  )
})
