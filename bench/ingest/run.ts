import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { cpus, tmpdir, totalmem } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { Redis } from 'ioredis'
import { startRedis } from '../../test/services/redis.ts'
import { compilePrograms } from '../online/servers.ts'
import { endWith, loads, runBench, say, wholeNumbers } from '../run-bench.ts'
import { measureBackfill } from './backfill.ts'
import type { Bench, Findings } from './bench.ts'
import { makeDatabase } from './database.ts'
import { type DurablePostgres, postgresSettings, startDurablePostgres } from './durable-postgres.ts'
import { importTransactions, measureImport } from './import.ts'
import { materializedProjects, measureMaterialize } from './materialize.ts'
import { oursBy } from './ours-process.ts'
import { comparisonTable, growthLine } from './report.ts'
import { measureSnapshot } from './snapshot.ts'
import { makeTransactions } from './transactions.ts'
import { openWorld, projects, type Sizes } from './world.ts'

const usage = `npm run bench:ingest -- [options]
  --events 10000000     transactions, a multiple of --days
  --customers 100000
  --days 100            over which they are spread, and snapshots of the backfill
  --rounds 2            ours and the peer by turns, so often; a snapshot and materialize twice as often and once more
  --only <parts>        some of import,snapshot,backfill,materialize
  --cpu-prof <folder>   our processes leave their profiles there; the figures are slower then`

const parts = ['import', 'snapshot', 'backfill', 'materialize'] as const
type Part = (typeof parts)[number]

interface Options extends Sizes {
  readonly rounds: number
  readonly only: readonly Part[]
  readonly profileFolder: string | null
}

function readOptions(): Options | null {
  const { values } = parseArgs({
    options: {
      events: { type: 'string', default: '10000000' },
      customers: { type: 'string', default: '100000' },
      days: { type: 'string', default: '100' },
      rounds: { type: 'string', default: '2' },
      only: { type: 'string', default: parts.join(',') },
      'cpu-prof': { type: 'string' },
    },
  })
  const { events, customers, days, rounds } = values
  const sizes = wholeNumbers({ events, customers, days, rounds })
  const named = values.only.split(',')
  const only = parts.filter((part) => named.includes(part))
  if (sizes === null || sizes.events % sizes.days !== 0 || only.length < named.length) return null
  const folder = values['cpu-prof']
  return {
    ...{ ...sizes, only },
    profileFolder: folder === undefined ? null : path.resolve(folder),
  }
}

async function setUp(options: Options): Promise<Bench> {
  const { events, customers, days, rounds, profileFolder } = options
  const sizes = { events, customers, days }
  const folder = await mkdtemp(path.join(tmpdir(), 'featuregraph-bench-'))
  endWith(() => rm(folder, { recursive: true, force: true }))
  if (profileFolder !== null) await mkdir(profileFolder, { recursive: true })
  const programs = await compilePrograms(['../ingest/ours'])
  const postgres = await startDurablePostgres()
  endWith(postgres.stop)
  const redis = await startRedis()
  endWith(redis.stop)
  const world = openWorld()
  const names = [...Object.values(projects), ...Object.values(materializedProjects)]
  const database = await makeDatabase(postgres.url, world, sizes, names)
  endWith(database.close)
  const transactions = await makeTransactions(folder, sizes)
  endWith(transactions.close)
  say(`${events} transactions written as Parquet and as CSV`)
  return {
    ...{ world, sizes, rounds, shortRounds: 2 * rounds + 1, folder, postgres, database, transactions, say },
    redisUrl: redis.url,
    ours: oursBy(path.join(programs, 'ours.mjs'), profileFolder),
  }
}

async function measure(bench: Bench, { only }: Options): Promise<Findings> {
  const found: Findings[] = []
  if (only.includes('import')) found.push(await measureImport(bench))
  const needsEvents = only.includes('snapshot') || only.includes('backfill')
  if (needsEvents && !only.includes('import')) await importTransactions(bench)
  if (needsEvents) await bench.database.vacuum(bench.database.events(projects.ours))
  if (only.includes('snapshot')) found.push(await measureSnapshot(bench))
  if (only.includes('backfill')) found.push(await measureBackfill(bench))
  if (only.includes('materialize')) found.push(await measureMaterialize(bench))
  return {
    comparisons: found.flatMap(({ comparisons }) => comparisons),
    growths: found.flatMap(({ growths }) => growths),
  }
}

async function machineLine({ version }: DurablePostgres, redisUrl: string): Promise<string> {
  const redis = new Redis(redisUrl)
  const [, redisVersion = ''] = /redis_version:(\S+)/.exec(await redis.info('server')) ?? []
  redis.disconnect()
  const gigabytes = Math.round(totalmem() / 1e9)
  return `${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}), ${gigabytes} GB, Node ${process.versions.node}, Postgres ${version} (${postgresSettings.join(', ')}; fsync and synchronous_commit on), Redis ${redisVersion}`
}

const remarks = `Medians over the rounds; a ratio is taken within a round. Each of our runs is a process of its own that begins cold; its
start is not timed, nor are Python's start and imports. The servers share the machine's cores with both sides. Before each
run the tables are emptied and a checkpoint is made; before snapshots the events are vacuumed and analyzed once. Of a
snapshot and of materialize a first round is not counted. pandas reads only the columns that it needs and writes nothing.
All counts, sums and samples above were checked.`

async function run(options: Options): Promise<void> {
  const loadBefore = loads()
  const bench = await setUp(options)
  const findings = await measure(bench, options)
  const paragraphs = [
    comparisonTable(findings),
    ...findings.growths.map(growthLine),
    `${await machineLine(bench.postgres, bench.redisUrl)}; load average ${loadBefore} before, ${loads()} after; ${bench.rounds} rounds, ${bench.shortRounds} of a snapshot and of materialize.`,
    remarks,
  ]
  process.stdout.write(`\n${paragraphs.join('\n\n')}\n`)
}

await runBench(usage, readOptions, run)
