import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { DuckDBInstance } from '@duckdb/node-api'
import { startRedis } from '../../test/services/redis.ts'
import { testPool } from '../../test/services/test-pool.ts'
import { startDurablePostgres } from '../ingest/durable-postgres.ts'
import { range } from '../online/cells.ts'
import type { MeasuredBurst, Target } from '../online/load.ts'
import { type LoadProcess, startLoad } from '../online/load-process.ts'
import { loadWorld } from '../online/load-world.ts'
import { compilePrograms, ensureBuilt, root, startServer } from '../online/servers.ts'
import { customerCount, project } from '../online/world.ts'
import { endWith, runBench, wholeNumbers } from '../run-bench.ts'

/**
 * Online answers beside a job: at a quarter of what the gateway can answer, without a job and while it makes a training set,
 * and how long the job takes with and without them. Online answers are compared byte by byte; the job's files are the same.
 */
const usage = `tsx bench/historical/beside.ts [options]
  --rows 400000             of the spine
  --feature-rows 2000000
  --rounds 3
  --seconds 4               of a burst of online load`

const {
  values: { help: _, ...options },
} = parseArgs({
  options: {
    rows: { type: 'string', default: '400000' },
    'feature-rows': { type: 'string', default: '2000000' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '4' },
    help: { type: 'boolean', default: false },
  },
})
const [rows, featureRows, rounds, seconds] = [
  options.rows,
  options['feature-rows'],
  options.rounds,
  options.seconds,
].map(Number) as [number, number, number, number]
const connections = 32
const entities = 10

interface Job {
  readonly seconds: number
  readonly sha256: string
}

async function setUp(): Promise<{
  readonly port: number
  readonly load: LoadProcess
  readonly base: number
  readonly spine: string
}> {
  const folder = await mkdtemp(path.join(tmpdir(), 'featuregraph-bench-'))
  endWith(() => rm(folder, { recursive: true, force: true }))
  await ensureBuilt(root)
  const programs = await compilePrograms(['load'])
  const [redis, postgres] = [await startRedis(), await startDurablePostgres()]
  endWith(redis.stop, postgres.stop)
  const environment = {
    FEATUREGRAPH_ONLINE_URL: redis.url,
    FEATUREGRAPH_OFFLINE_URL: postgres.url,
    FEATUREGRAPH_PROJECT: project,
    FEATUREGRAPH_DEMO: 'false',
    FEATUREGRAPH_WORKER: 'false',
    FEATUREGRAPH_FILES: path.join(folder, 'files'),
    FEATUREGRAPH_SCHEMA: path.join(root, 'bench/online/schema'),
    FEATUREGRAPH_LOG_LEVEL: 'warn',
    FEATUREGRAPH_ONLINE_TIMEOUT_MS: '5000',
  }
  const base = Date.now() * 1_000
  await loadWorld(environment, redis.url, base)
  const gateway = await startServer({
    ...{ name: 'gateway', script: path.join(root, 'src/featuregraph.js'), args: ['serve'], environment },
    ...{ readyPath: '/readyz', folder },
  })
  endWith(gateway.stop)
  await fillTable(postgres.url)
  const spine = await makeSpine(folder)
  const load = startLoad(path.join(programs, 'load.mjs'))
  endWith(load.stop)
  return { port: gateway.port, load, base, spine }
}

/** Rows of the last hundred days, all older than those that stand online. */
async function fillTable(url: string): Promise<void> {
  const pool = testPool(url, 1, null)
  try {
    const { rows: found } = await pool.query<{ name: string }>(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables where tablename = 'customer_realtime_features'`,
    )
    const [table] = found
    if (!table) throw new Error('the gateway made no table of customer_realtime_features')
    await pool.query(
      `insert into ${table.name} (customer_id, event_timestamp, created_timestamp, transactions_last_hour, amount_last_hour, failed_transactions_last_hour)
       select 1 + i % ${customerCount}, at, at, i % 12, (i % 200000) / 100.0, i % 3 from (
         select i, now() - interval '1 hour' - (${featureRows} - i) * interval '100 days' / ${featureRows} as at from generate_series(1, ${featureRows}) as i) as r`,
    )
    await pool.query(`vacuum analyze ${table.name}`)
    await pool.query('checkpoint')
  } finally {
    await pool.end()
  }
}

async function makeSpine(folder: string): Promise<string> {
  const file = path.join(folder, 'spine.parquet')
  const instance = await DuckDBInstance.create(':memory:')
  const duckdb = await instance.connect()
  await duckdb.run(`copy (select 1 + hash(n)::HUGEINT % ${customerCount} as customer_id,
    now() - to_seconds((3600 + hash(n + 1) % 8000000)::BIGINT) as event_timestamp, n % 50 = 0 as label from range(${rows}) as r(n))
    to '${file}' (format parquet)`)
  instance.closeSync()
  return file
}

async function ask(port: number, query: string, variables: object): Promise<Record<string, never>> {
  const response = await fetch(`http://127.0.0.1:${port}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  })
  const { data, errors } = (await response.json()) as { data: Record<string, never>; errors?: unknown }
  if (errors) throw new Error(JSON.stringify(errors))
  return data
}

interface FoundSet {
  readonly id: string
  readonly state: string
  readonly rows: number
  readonly error: string | null
  readonly parts: readonly { readonly sha256: string }[]
}

const fields = 'id state rows error parts { sha256 }'

async function job(port: number, spineId: string): Promise<Job> {
  const input = { spineId, features: ['customer_realtime_features'] }
  const started = performance.now()
  const created = await ask(
    port,
    `mutation ($input: CreateTrainingSetInput!) { createTrainingSet(input: $input) { ${fields} } }`,
    { input },
  )
  let { createTrainingSet: set } = created as unknown as { createTrainingSet: FoundSet }
  while (['QUEUED', 'RUNNING'].includes(set.state)) {
    await sleep(100)
    const found = await ask(port, `query ($id: ID!) { trainingSet(id: $id) { ${fields} } }`, { id: set.id })
    set = (found as unknown as { trainingSet: FoundSet }).trainingSet
  }
  if (set.state !== 'SUCCEEDED' || set.rows !== rows)
    throw new Error(`the training set is ${set.state} with ${set.rows} rows: ${set.error}`)
  return {
    seconds: (performance.now() - started) / 1_000,
    sha256: set.parts.map((part) => part.sha256).join(' '),
  }
}

async function measure(): Promise<void> {
  const { port, load, base, spine } = await setUp()
  const uploaded = await fetch(`http://127.0.0.1:${port}/spines?format=parquet`, {
    method: 'POST',
    body: await readFile(spine),
  })
  const { id } = (await uploaded.json()) as { id: string }
  const target: Target = {
    ...{ server: 'gateway', protocol: 'graphql', ports: [port] },
    ...{ operation: 'features', entities },
  }
  const burst = async (
    more: { requestsPerSecond?: number },
    forSeconds = seconds,
  ): Promise<MeasuredBurst> => {
    const report = await load.obey({
      kind: 'burst',
      target,
      options: { connections, seconds: forSeconds, ...more },
    })
    if (report.kind !== 'burst') throw new TypeError(`a burst was answered by ${report.kind}`)
    return report.burst
  }
  await load.obey({ kind: 'check', target, base, customers: customerCount, bodies: 300 })
  await burst({}, 1)
  const saturated = await burst({})
  const quarter = { requestsPerSecond: saturated.requests / saturated.seconds / 4 }
  const found = {
    alone: [] as number[],
    beside: [] as number[],
    jobAlone: [] as number[],
    jobBeside: [] as number[],
  }
  const files = new Set<string>()
  for (let round = 0; round < rounds; round += 1) {
    found.alone.push((await burst(quarter)).p99Ms)
    const alone = await job(port, id)
    let isEnded = false
    const working = job(port, id).finally(() => {
      isEnded = true
    })
    working.catch(() => {})
    const p99s: number[] = []
    while (!isEnded) p99s.push((await burst(quarter, 1)).p99Ms)
    const beside = await working
    found.beside.push(range(p99s).median)
    found.jobAlone.push(alone.seconds)
    found.jobBeside.push(beside.seconds)
    files.add(alone.sha256).add(beside.sha256)
    process.stderr.write(
      `round ${round + 1}: p99 ${found.alone.at(-1)?.toFixed(1)} ms, beside the job ${found.beside.at(-1)?.toFixed(1)} ms (${p99s.length} seconds); the job ${alone.seconds.toFixed(1)} s, beside requests ${beside.seconds.toFixed(1)} s\n`,
    )
  }
  if (files.size !== 1) throw new Error('WRONG ROWS: the training sets differ')
  const median = (values: readonly number[]): number => range(values).median
  process.stdout.write(
    `${quarter.requestsPerSecond.toFixed(0)} requests of ${entities} entities a second, a quarter of ${(saturated.requests / saturated.seconds).toFixed(0)}; ${rows} spine rows over ${featureRows} feature rows; medians of ${rounds} rounds
p99 ${median(found.alone).toFixed(1)} ms alone, ${median(found.beside).toFixed(1)} ms beside a job: ${(median(found.beside) / median(found.alone)).toFixed(2)} times
job ${median(found.jobAlone).toFixed(1)} s alone, ${median(found.jobBeside).toFixed(1)} s beside requests: ${(median(found.jobAlone) / median(found.jobBeside)).toFixed(2)} of its rate
`,
  )
}

await runBench(usage, () => wholeNumbers(options), measure)
