import type { Micros } from '../../src/definitions/timestamp.ts'
import { type Bench, byTurns, type Comparison, type Findings, type Peer } from './bench.ts'
import { checkEqual, checkFeatures } from './check.ts'
import type { Done } from './ours.ts'
import { openPandas } from './pandas-snapshot.ts'
import { projects, sampleIds, snapshotTime } from './world.ts'

/** The last day's snapshot, its rows written, beside pandas that reads the Parquet file and computes the same. */
export async function measureSnapshot(bench: Bench): Promise<Findings> {
  const { shortRounds, sizes, database, transactions } = bench
  const time = snapshotTime(sizes.days)
  const ids = sampleIds(sizes)
  const pandas = await openPandas()
  const customers = await transactions.customersInWindow(time)
  const ours = async (): Promise<Done> => {
    const done = await recompute(bench, [time])
    bench.say(`snapshot: ours ${done.seconds.toFixed(1)} s`)
    checkEqual('rows of the snapshot', done.rows, customers)
    checkEqual('rows of the snapshot in the table', await database.countFeatures(projects.ours), customers)
    return done
  }
  const finding = (done: readonly Done[], peer: Peer): Findings => {
    const goal: Comparison['goal'] = { kind: 'TIME_AT_MOST', times: 2 }
    const what = `one daily snapshot over ${sizes.events.toLocaleString('en')} events`
    return { comparisons: [{ what, rows: customers, ours: done, peer, goal }], growths: [] }
  }
  if (typeof pandas !== 'function') {
    bench.say(`snapshot: pandas is left out: ${pandas.reason}`)
    return finding([await ours()], { kind: 'ABSENT', name: "the seed's pandas", reason: pandas.reason })
  }
  let version = ''
  let theirs = new Map() as Awaited<ReturnType<typeof pandas>>['rows']
  const turns = await byTurns(
    shortRounds,
    ours,
    async () => {
      const run = await pandas(transactions.parquet, time, ids)
      bench.say(`snapshot: pandas ${run.seconds.toFixed(1)} s`)
      checkEqual('customers that pandas found', run.count, customers)
      version = run.version
      theirs = run.rows
      return run.seconds
    },
    { warmUp: true },
  )
  checkFeatures('the snapshot beside pandas', await database.featuresAt(projects.ours, time, ids), theirs)
  bench.say(`snapshot: the features of ${ids.length} customers are those of pandas`)
  return finding(turns.ours, { kind: 'RUN', name: `the seed's code, ${version}`, seconds: turns.peer })
}

/** Computes snapshots into an empty table. */
export async function recompute(
  { database, ours }: Pick<Bench, 'database' | 'ours'>,
  times: readonly Micros[],
): Promise<Done> {
  await database.forgetSnapshots(projects.ours)
  await database.settle()
  return await ours({ kind: 'BATCH', databaseUrl: database.url, project: projects.ours, times })
}
