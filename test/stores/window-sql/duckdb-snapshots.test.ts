import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { snapshotsSql } from '../../../src/stores/window-sql/snapshots-sql.ts'
import { expectSnapshots } from './compare-snapshots.ts'
import { readRows, writeEvents } from './exported-files.ts'
import { goldenCases, randomWorld, type WindowWorld, worldOf } from './window-world.ts'

let folder: string
let instance: DuckDBInstance
let number = 0

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'featuregraph-windows-'))
  // Another zone than the one that everything is in.
  instance = await DuckDBInstance.create(':memory:', { threads: '2' })
})
afterAll(async () => {
  instance?.closeSync()
  await rm(folder, { recursive: true, force: true })
})

async function run(world: WindowWorld): Promise<void> {
  number += 1
  const [events, output] = ['events', 'rows'].map((name) => path.join(folder, `${name}-${number}`))
  const connection = await instance.connect()
  try {
    await connection.run(`set timezone = 'Asia/Kolkata'`)
    await writeEvents(connection, events ?? '', world.events)
    const { view, events: _events, ...request } = world
    await connection.run(
      snapshotsSql(view, { ...request, events: events ?? '', output: output ?? '' }, 'duckdb'),
    )
    const keys = view.entity.joinKeys.map(({ name }) => name)
    expectSnapshots(world, await readRows(connection, output ?? '', keys))
  } finally {
    connection.disconnectSync()
  }
}

describe('snapshots by DuckDB are those of the oracle', () => {
  it.each(Object.entries(goldenCases))('for the committed script %s', async (_, given) => {
    await fc.assert(fc.asyncProperty(worldOf(given, 150), run), { numRuns: 3 })
  })

  it('for any windows, hops, times and events', async () => {
    await fc.assert(fc.asyncProperty(randomWorld, run), { numRuns: 40 })
  })

  it('for files of which the older lack a field, which is null there', async () => {
    const [given] = fc.sample(worldOf(goldenCases['every-kind'] ?? fail(), 80), { numRuns: 1, seed: 7 })
    const { events = [], ...rest } = given ?? fail()
    const half = Math.ceil(events.length / 2)
    const [older, newer] = [events.slice(0, half), events.slice(half)]
    number += 1
    const folders = ['events', 'rows', 'events/older', 'events/newer', 'whole'].map((name) =>
      path.join(folder, `drift-${number}`, name),
    )
    const [all = '', output = '', olderFolder = '', newerFolder = '', whole = ''] = folders
    const connection = await instance.connect()
    try {
      await writeEvents(connection, whole, older)
      await writeEvents(connection, newerFolder, newer)
      await mkdir(olderFolder)
      await connection.run(
        `copy (select * exclude (paid, price) from read_parquet('${whole}/**/*.parquet', hive_partitioning = false))
         to '${olderFolder}/0.parquet'`,
      )
      const { view, times, previous } = rest
      await connection.run(snapshotsSql(view, { times, previous, events: all, output }, 'duckdb'))
      const lacking = older.map((event) => ({
        ...event,
        fields: { ...event.fields, paid: null, price: null },
      }))
      expectSnapshots(
        { ...rest, events: [...lacking, ...newer] },
        await readRows(connection, output, ['customer_id']),
      )
    } finally {
      connection.disconnectSync()
    }
  })
})

function fail(): never {
  throw new Error('no such world')
}
