import { execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { jobFlags } from '../../src/cli/run-apart.ts'
import { startDurablePostgres } from '../ingest/durable-postgres.ts'
import { pythonPackages } from '../ingest/python.ts'
import { range } from '../online/cells.ts'
import { compilePrograms } from '../online/servers.ts'
import { endWith, loads, runBench, say, wholeNumbers } from '../run-bench.ts'
import { differingRows, joinByDuckDb } from './duckdb-asof.ts'
import type { Done, Order, Report } from './ours.ts'
import { makeSpine, makeTables, type Tables } from './tables.ts'
import { openWorld, type Sizes } from './world.ts'

const usage = `npm run bench:historical -- [options]
  --customers 100000     each with --days daily rows and --momentary at any time
  --days 100
  --momentary 50
  --rows 10000,100000,1000000   spines
  --rounds 3             ours and the peers by turns, so often
  --feast 10000,100000   spines that Feast's Postgres offline store joins too, once each; none leaves it out
  --cpu-prof <folder>    our processes leave their profiles there; the figures are slower then`

const feastVersion = '0.67.0'
const run = promisify(execFile)

interface Options extends Sizes {
  readonly spines: readonly number[]
  readonly rounds: number
  readonly feast: readonly number[]
  readonly profileFolder: string | null
}

function readOptions(): Options | null {
  const { values } = parseArgs({
    options: {
      customers: { type: 'string', default: '100000' },
      days: { type: 'string', default: '100' },
      momentary: { type: 'string', default: '50' },
      rows: { type: 'string', default: '10000,100000,1000000' },
      rounds: { type: 'string', default: '3' },
      feast: { type: 'string', default: '10000,100000' },
      'cpu-prof': { type: 'string' },
    },
  })
  const list = (text: string): number[] => (text === 'none' ? [] : text.split(',').map(Number))
  const { customers, days, momentary, rounds } = values
  const sizes = wholeNumbers({ customers, days, momentary, rounds })
  const [spines, feast] = [list(values.rows), list(values.feast)]
  if (sizes === null || ![...spines, ...feast].every((one) => Number.isSafeInteger(one) && one > 0))
    return null
  const folder = values['cpu-prof']
  const profileFolder = folder === undefined ? null : path.resolve(folder)
  return { ...sizes, spines, feast, profileFolder }
}

async function ours(script: string, order: Order, profileFolder: string | null): Promise<Done> {
  const profiling = profileFolder === null ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`]
  const child = fork(script, { execArgv: [...jobFlags, ...profiling] })
  const ended = once(child, 'exit')
  const report = await new Promise<Report>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => reject(new Error(`our process ended by ${signal ?? code}`)))
    child.once('message', (message) => resolve(message as Report))
    child.send(order)
  })
  child.disconnect()
  await ended
  if (report.kind === 'FAILED') throw new Error(report.message)
  return report.done
}

interface FeastRun {
  readonly seconds: number
  /** A Parquet file with a column `place`. */
  readonly out: string
}

/** Or why there is none. */
async function byFeast(databaseUrl: string, spine: string, folder: string): Promise<FeastRun | string> {
  try {
    const packages = await pythonPackages(
      `feast-postgres-${feastVersion}`,
      [`feast[postgres]==${feastVersion}`],
      {
        alone: false,
      },
    )
    const own = await mkdtemp(path.join(folder, 'feast-'))
    const { hostname, port, pathname } = new URL(databaseUrl)
    const out = path.join(own, 'out.parquet')
    const script = path.join(import.meta.dirname, 'feast_historical.py')
    const env = { ...process.env, PYTHONPATH: packages, PYTHONDONTWRITEBYTECODE: '1' }
    const { stdout } = await run('python3', [script, hostname, port, pathname.slice(1), spine, own, out], {
      env,
      maxBuffer: 67_108_864,
    })
    const { seconds } = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as { seconds: number }
    return { seconds, out }
  } catch (error) {
    return error instanceof Error ? (error.message.trim().split('\n').at(-1) ?? '') : String(error)
  }
}

interface Measured {
  readonly rows: number
  readonly ours: readonly Done[]
  readonly duckdb: readonly number[]
  /** Seconds, or why there are none; null: not asked for. */
  readonly feast: number | string | null
}

async function measure(
  duckdb: DuckDBConnection,
  { url, folder, script, tables }: { url: string; folder: string; script: string; tables: Tables },
  options: Options,
  rows: number,
): Promise<Measured> {
  const spine = await makeSpine(duckdb, { rows, folder, sizes: options, tables })
  const files = { ours: path.join(folder, 'ours.parquet'), theirs: path.join(folder, 'duckdb.parquet') }
  const found: { ours: Done[]; duckdb: number[] } = { ours: [], duckdb: [] }
  for (let round = 0; round < options.rounds; round += 1) {
    found.ours.push(await ours(script, { databaseUrl: url, spine, out: files.ours }, options.profileFolder))
    found.duckdb.push(await joinByDuckDb(duckdb, tables, spine, files.theirs))
    const differing = await differingRows(duckdb, files.ours, files.theirs)
    if (differing > 0) throw new Error(`WRONG ROWS: ${differing} of ${rows} differ from DuckDB's as-of join`)
    say(
      `${rows} rows, round ${round + 1}: ours ${found.ours.at(-1)?.seconds.toFixed(2)} s, DuckDB ${found.duckdb.at(-1)?.toFixed(2)} s`,
    )
  }
  const feast = options.feast.includes(rows) ? await byFeast(url, spine, folder) : null
  if (feast === null || typeof feast === 'string') return { rows, ...found, feast }
  const differing = await differingRows(duckdb, files.ours, feast.out)
  if (differing > 0) throw new Error(`WRONG ROWS: ${differing} of ${rows} differ from Feast's`)
  say(`${rows} rows: Feast ${feast.seconds.toFixed(2)} s`)
  return { rows, ...found, feast: feast.seconds }
}

function table(measured: readonly Measured[]): string {
  const head = [
    'spine rows',
    'ours s',
    'µs a row',
    'our CPU s',
    'our peak MB',
    'DuckDB ASOF s',
    'ours / DuckDB',
    'Feast s',
    'Feast / ours',
  ]
  const lines = measured.map(({ rows, ours: own, duckdb, feast }) => {
    const seconds = range(own.map((one) => one.seconds)).median
    const peaks = own.flatMap(({ peakBytes }) => (peakBytes === null ? [] : [peakBytes]))
    const ratio = range(own.map((one, round) => one.seconds / (duckdb[round] ?? Number.NaN)))
    return [
      rows.toLocaleString('en'),
      seconds.toFixed(2),
      ((seconds / rows) * 1e6).toFixed(1),
      range(own.map((one) => one.cpuSeconds)).median.toFixed(2),
      peaks.length === 0 ? '-' : (Math.max(...peaks) / 1e6).toFixed(0),
      range(duckdb).median.toFixed(2),
      `${ratio.median.toFixed(2)} [${ratio.lowest.toFixed(2)}-${ratio.highest.toFixed(2)}]`,
      typeof feast === 'number' ? feast.toFixed(1) : (feast ?? '-'),
      typeof feast === 'number' ? (feast / seconds).toFixed(1) : '-',
    ]
  })
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

async function bench(options: Options): Promise<void> {
  const before = loads()
  const folder = await mkdtemp(path.join(tmpdir(), 'featuregraph-bench-'))
  endWith(() => rm(folder, { recursive: true, force: true }))
  if (options.profileFolder !== null) await mkdir(options.profileFolder, { recursive: true })
  const programs = await compilePrograms(['../historical/ours'])
  const postgres = await startDurablePostgres()
  endWith(postgres.stop)
  const instance = await DuckDBInstance.create(':memory:', { threads: '2' })
  const duckdb = await instance.connect()
  endWith(() => instance.closeSync())
  const world = openWorld()
  const tables = await makeTables(duckdb, { url: postgres.url, folder, sizes: options, world })
  say('the tables are filled')
  const parts = { url: postgres.url, folder, script: path.join(programs, 'ours.mjs'), tables }
  const measured: Measured[] = []
  for (const rows of options.spines) measured.push(await measure(duckdb, parts, options, rows))
  const { customers, days, momentary, rounds } = options
  process.stdout.write(
    `\n${table(measured)}\n\n${(customers * days).toLocaleString('en')} + ${(customers * momentary).toLocaleString('en')} feature rows of ${customers.toLocaleString('en')} customers; ${rounds} rounds, medians; ${cpus().length} cores, Postgres ${postgres.version}, load average ${before} before, ${loads()} after. From the spine's Parquet file to the finished one; every row of ours was compared with DuckDB's, and with Feast's where it ran.\n`,
  )
}

await runBench(usage, readOptions, bench)
