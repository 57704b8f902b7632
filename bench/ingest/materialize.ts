import path from 'node:path'
import { type Bench, byTurns, type Findings, type Peer } from './bench.ts'
import { checkEqual, checkFeatures } from './check.ts'
import { feastFigure, openFeast } from './feast.ts'
import { emptyRedis, fillOffline, materializedTime, readOnline, writeParquet } from './materialized-rows.ts'
import type { Done } from './ours.ts'
import { sampleIds } from './world.ts'

/** Projects whose tables hold as many rows as customers, and this many times as many. */
export const materializedProjects = { few: 'materialized_few', many: 'materialized_many' } as const
const timesAsMany = 4

/** Every customer's newest row into an empty Redis, beside Feast; then more rows, for our memory. */
export async function measureMaterialize(bench: Bench): Promise<Findings> {
  const { sizes, shortRounds, folder } = bench
  const { few, many } = materializedProjects
  const [rows, manyRows] = [sizes.customers, timesAsMany * sizes.customers]
  const ids = sampleIds(sizes)
  await fillOffline(bench, few, rows)
  await fillOffline(bench, many, manyRows)
  const parquet = path.join(folder, 'newest-rows.parquet')
  await writeParquet(parquet, rows)

  const ours = (): Promise<Done> => materializeInto(bench, few, rows)
  const feast = await openFeast(folder)
  const offline = await bench.database.featuresAt(few, materializedTime, ids)
  let done: readonly Done[]
  let peer: Peer
  if (typeof feast === 'function') {
    let version = ''
    const turns = await byTurns(
      shortRounds,
      ours,
      async () => {
        await emptyRedis(bench.redisUrl)
        const run = await feast({ parquet, redisPort: new URL(bench.redisUrl).port, ids })
        bench.say(`materialize: Feast ${run.seconds.toFixed(1)} s`)
        checkFeatures('what Feast serves', run.rows, offline)
        version = run.version
        return run.seconds
      },
      { warmUp: true },
    )
    done = turns.ours
    peer = { kind: 'RUN', name: `Feast ${version}`, seconds: turns.peer }
  } else {
    bench.say(`materialize: Feast is left out, a figure stands for it: ${feast.reason}`)
    const own: Done[] = []
    for (let round = 0; round < shortRounds; round += 1) own.push(await ours())
    done = own
    const { name, seconds } = feastFigure
    peer = { kind: 'FIGURE', name, seconds: (seconds * rows) / feastFigure.rows }
  }
  const more = await materializeInto(bench, many, manyRows)
  return {
    comparisons: [
      { what: 'materialize', rows, ours: done, peer, goal: { kind: 'RATE_AT_LEAST', times: 10 } },
    ],
    growths: [
      {
        what: 'materialize',
        few: { rows, peakBytes: highest(done) },
        many: { rows: manyRows, peakBytes: more.peakBytes },
      },
    ],
  }
}

/** Into an empty Redis, so that the project is materialized in full, and checked. */
async function materializeInto(bench: Bench, project: string, rows: number): Promise<Done> {
  const { database, redisUrl, ours, sizes } = bench
  await emptyRedis(redisUrl)
  await database.settle()
  const done = await ours({ kind: 'MATERIALIZE', databaseUrl: database.url, project, redisUrl })
  bench.say(`materialize: ours ${done.seconds.toFixed(2)} s for ${rows} rows`)
  checkEqual('rows written online', done.rows, rows)
  const online = await readOnline(bench, project, sampleIds(sizes))
  checkEqual('keys in Redis, with the marker', online.keys, rows + 1)
  const offline = await database.featuresAt(project, materializedTime, sampleIds(sizes))
  checkEqual('customers with a row in Postgres', offline.size, sampleIds(sizes).length)
  checkFeatures('rows in Redis beside those in Postgres', online.rows, offline)
  return done
}

function highest(done: readonly Done[]): number | null {
  const known = done.flatMap(({ peakBytes }) => (peakBytes === null ? [] : [peakBytes]))
  return known.length === 0 ? null : Math.max(...known)
}
