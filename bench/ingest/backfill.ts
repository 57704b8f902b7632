import { rm } from 'node:fs/promises'
import path from 'node:path'
import type { Micros } from '../../src/definitions/timestamp.ts'
import { type Bench, byTurns, type Findings } from './bench.ts'
import { checkEqual, checkFeatures } from './check.ts'
import type { FeatureValues } from './database.ts'
import { psql } from './psql.ts'
import { recompute } from './snapshot.ts'
import { projects, sampleIds, snapshotTime } from './world.ts'

/** A snapshot for every day beside psql's `\copy` of exactly those rows, from a binary dump, into a table made alike. */
export async function measureBackfill(bench: Bench): Promise<Findings> {
  const { rounds, sizes, database, postgres, folder } = bench
  const days = Array.from({ length: sizes.days }, (_, index) => index + 1)
  const dump = path.join(folder, 'snapshots.copy')
  const columns = await writtenColumns(bench)
  const singles = await singleSnapshots(bench)
  let rows = 0
  const turns = await byTurns(
    rounds,
    async () => {
      const done = await recompute(bench, days.map(snapshotTime))
      bench.say(`backfill: ours ${done.seconds.toFixed(1)} s, ${done.rows} rows`)
      checkEqual('rows of the backfill in the table', await database.countFeatures(projects.ours), done.rows)
      await checkSingles(bench, singles)
      if (rows === 0) {
        const table = database.features(projects.ours)
        // In the order in which they stand, which is that of our own writing.
        await psql(postgres, `\\copy (select ${columns} from ${table}) to '${dump}' (format binary)`)
      }
      rows = done.rows
      return done
    },
    async () => {
      await database.forgetSnapshots(projects.psql)
      await database.settle()
      const table = database.features(projects.psql)
      const seconds = await psql(postgres, `\\copy ${table} (${columns}) from '${dump}' (format binary)`)
      bench.say(`backfill: psql ${seconds.toFixed(1)} s for the rows alone`)
      checkEqual('rows that psql wrote', await database.countFeatures(projects.psql), rows)
      return seconds
    },
  )
  await rm(dump, { force: true })
  for (const project of Object.values(projects)) await database.forgetSnapshots(project)
  return {
    comparisons: [
      {
        what: `backfill of ${sizes.days} daily snapshots`,
        rows,
        ours: turns.ours,
        peer: { kind: 'RUN', name: 'psql \\copy of the rows alone', seconds: turns.peer },
        goal: { kind: 'TIME_AT_MOST', times: 3 },
      },
    ],
    growths: [],
  }
}

/** All but the two that the table fills in for both. */
async function writtenColumns({ database }: Bench): Promise<string> {
  const { rows } = await database.pool.query<{ columns: string }>(
    `select string_agg(quote_ident(attname), ', ' order by attnum) as columns from pg_attribute
     where attrelid = to_regclass($1) and attnum > 0 and not attisdropped and attname not in ('row_id', 'ingested_xid')`,
    [database.features(projects.ours)],
  )
  return rows[0]?.columns ?? ''
}

interface SingleSnapshot {
  readonly time: Micros
  readonly customers: number
  readonly rows: ReadonlyMap<number, FeatureValues>
}

/** Three days' snapshots, each computed alone, and counted by DuckDB. */
async function singleSnapshots(bench: Bench): Promise<readonly SingleSnapshot[]> {
  const { sizes, database, transactions } = bench
  const singles: SingleSnapshot[] = []
  for (const day of new Set([1, Math.ceil(sizes.days * 0.45), sizes.days])) {
    const time = snapshotTime(day)
    await recompute(bench, [time])
    const customers = await transactions.customersInWindow(time)
    checkEqual(`rows of day ${day} alone`, await database.customersAt(projects.ours, time), customers)
    singles.push({ time, customers, rows: await database.featuresAt(projects.ours, time, sampleIds(sizes)) })
  }
  return singles
}

async function checkSingles(
  { database, sizes, say }: Bench,
  singles: readonly SingleSnapshot[],
): Promise<void> {
  for (const { time, customers, rows } of singles) {
    checkEqual('rows of a day in the backfill', await database.customersAt(projects.ours, time), customers)
    checkFeatures(
      'a day in the backfill beside itself alone',
      await database.featuresAt(projects.ours, time, sampleIds(sizes)),
      rows,
    )
  }
  say(`backfill: ${singles.length} days of it are as when computed alone`)
}
