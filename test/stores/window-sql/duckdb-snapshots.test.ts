import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { snapshotsSql } from '../../../src/stores/window-sql/snapshots-sql.ts'
import { expectSnapshots } from './compare-snapshots.ts'
import { readRows, writeDriftedEvents, writeEvents } from './exported-files.ts'
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

async function run(
  drawn: WindowWorld,
  write: (connection: DuckDBConnection, place: string, world: WindowWorld) => Promise<WindowWorld>,
): Promise<void> {
  number += 1
  const [events, output] = ['events', 'rows'].map((name) => path.join(folder, `${name}-${number}`))
  const connection = await instance.connect()
  try {
    await connection.run(`set timezone = 'Asia/Kolkata'`)
    const world = await write(connection, events ?? '', drawn)
    const { view, events: _events, definitions: _definitions, ...request } = world
    await connection.run(
      snapshotsSql(view, { ...request, events: events ?? '', output: output ?? '' }, 'duckdb'),
    )
    const keys = view.entity.joinKeys.map(({ name }) => name)
    expectSnapshots(world, await readRows(connection, output ?? '', keys))
  } finally {
    connection.disconnectSync()
  }
}

async function writeWorld(
  connection: DuckDBConnection,
  place: string,
  world: WindowWorld,
): Promise<WindowWorld> {
  await writeEvents(connection, place, world.events)
  return world
}

describe('snapshots by DuckDB are those of the oracle', () => {
  it.each(Object.entries(goldenCases))('for the committed script %s', async (_, given) => {
    await fc.assert(
      fc.asyncProperty(worldOf(given, 150), (world) => run(world, writeWorld)),
      { numRuns: 3 },
    )
  })

  it('for any windows, hops, times and events', async () => {
    await fc.assert(
      fc.asyncProperty(randomWorld, (world) => run(world, writeWorld)),
      { numRuns: 40 },
    )
  })

  it('for files of which the older lack a field, which is null there', async () => {
    const [given = fail()] = fc.sample(worldOf(goldenCases['every-kind'] ?? fail(), 80), {
      ...{ numRuns: 1, seed: 7 },
    })
    await run(given, writeDriftedEvents)
  })
})

function fail(): never {
  throw new Error('no such world')
}
