import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { cpus, loadavg, tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { DuckDBInstance } from '@duckdb/node-api'
import { duckDbEngine } from '../../src/stores/duckdb/duckdb-engine.ts'
import { duckDbFileJoins } from '../../src/stores/duckdb/joins/file-joins.ts'
import { findingStatements, findRowsBy } from '../../src/stores/duckdb/joins/find-rows.ts'
import { readS3Access } from '../../src/stores/lake-access.ts'
import { sparkEngine } from '../../src/stores/spark/spark-engine.ts'
import { sparkSubmit } from '../../test/services/spark.ts'
import { pythonPackages } from '../ingest/python.ts'
import { range } from '../online/cells.ts'
import { bareAsOf, differingRows } from './bare-asof.ts'
import { differingSnapshots, makeEvents, snapshotsByEngine, snapshotsByHand } from './snapshots.ts'
import { joinOf, makeWorld } from './world.ts'

const usage = `npm run bench:lake -- [options]
  --customers 100000   each with --days daily feature rows and --momentary at any time, as Parquet
  --days 100
  --momentary 50
  --rows 1000000       of the spine
  --events 10000000    that 100 daily snapshots are computed of, of --customers / 5 customers; 0 leaves this out
  --snapshots 100
  --rounds 3           ours and the peers by turns, so often
  --memory 2GB         of each DuckDB, ours and the peers'
  --polars             the join by polars too, where there is Python
  --spark              2,000,000 events of 20,000 customers by a Spark of this machine, once`

const run = promisify(execFile)

const { values } = parseArgs({
  options: {
    customers: { type: 'string', default: '100000' },
    days: { type: 'string', default: '100' },
    momentary: { type: 'string', default: '50' },
    rows: { type: 'string', default: '1000000' },
    events: { type: 'string', default: '10000000' },
    snapshots: { type: 'string', default: '100' },
    rounds: { type: 'string', default: '3' },
    memory: { type: 'string', default: '2GB' },
    polars: { type: 'boolean', default: false },
    spark: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const memoryLimit = values.memory
const rounds = Number(values.rounds)
const from = Date.UTC(2026, 0, 1) * 1_000

interface Measured {
  readonly seconds: number
  /** Of this process. */
  readonly cpuSeconds: number
}

async function measured(work: () => Promise<unknown>): Promise<Measured> {
  const [cpu, started] = [process.cpuUsage(), performance.now()]
  await work()
  const { user, system } = process.cpuUsage(cpu)
  return { seconds: (performance.now() - started) / 1_000, cpuSeconds: (user + system) / 1e6 }
}

function say(line: string): void {
  process.stderr.write(`${line}\n`)
}

/** A row of the table: ours beside a peer's, by rounds. */
function line(what: string, ours: readonly Measured[], theirs: readonly Measured[]): string {
  const of = (some: readonly Measured[], key: keyof Measured): string =>
    range(some.map((one) => one[key])).median.toFixed(2)
  const ratio = (key: keyof Measured): string => {
    const { median, lowest, highest } = range(
      ours.map((one, round) => one[key] / (theirs[round]?.[key] ?? Number.NaN)),
    )
    return Number.isNaN(median) ? '-' : `${median.toFixed(2)} [${lowest.toFixed(2)}-${highest.toFixed(2)}]`
  }
  return `| ${[what, of(ours, 'seconds'), of(ours, 'cpuSeconds'), of(theirs, 'seconds'), of(theirs, 'cpuSeconds'), ratio('seconds'), ratio('cpuSeconds')].join(' | ')} |`
}

async function peer(folder: string) {
  const instance = await DuckDBInstance.create(':memory:', {
    ...{ threads: String(cpus().length), memory_limit: memoryLimit, temp_directory: folder },
  })
  const connection = await instance.connect()
  await connection.run(`set timezone = 'UTC'`)
  return { connection, close: () => instance.closeSync() }
}

async function trainingSets(folder: string): Promise<readonly string[]> {
  const [customers, days, momentary, rows] = [
    values.customers,
    values.days,
    values.momentary,
    values.rows,
  ].map(Number)
  const { connection, close } = await peer(folder)
  try {
    await makeWorld(connection, folder, {
      customers: customers ?? 0,
      days: days ?? 0,
      momentary: momentary ?? 0,
      rows: rows ?? 0,
    })
    say('the views and the spine are written')
    const joins = duckDbFileJoins({
      ...{ memoryLimit, threads: cpus().length, lake: null },
      findRows: findRowsBy(async () => null),
      statements: async (_, join, times) => findingStatements(join, times),
    })
    const files = {
      ours: `${folder}/ours.parquet`,
      bare: `${folder}/bare.parquet`,
      polars: `${folder}/polars.parquet`,
    }
    const found = { ours: [] as Measured[], bare: [] as Measured[], polars: [] as Measured[] }
    const packages = values.polars ? await pythonPackages('polars-1', ['polars'], { alone: false }) : null
    for (let round = 0; round < rounds; round += 1) {
      const join = joinOf(folder, files.ours)
      found.ours.push(
        await measured(() =>
          joins.make(join, { onProgress: () => {}, signal: new AbortController().signal }),
        ),
      )
      found.bare.push(await measured(() => bareAsOf(connection, folder, files.bare)))
      if (packages !== null) {
        const script = path.join(import.meta.dirname, 'polars_asof.py')
        const env = { ...process.env, PYTHONPATH: packages, PYTHONDONTWRITEBYTECODE: '1' }
        const { stdout } = await run('python3', [script, folder, files.polars], { env })
        found.polars.push({ seconds: Number(stdout.trim()), cpuSeconds: Number.NaN })
      }
      for (const theirs of [files.bare, ...(packages === null ? [] : [files.polars])]) {
        const differing = await differingRows(connection, files.ours, theirs)
        if (differing > 0)
          throw new Error(`WRONG ROWS: ${differing} of ${rows} differ from ${path.basename(theirs)}`)
      }
      say(
        `training set, round ${round + 1}: ours ${found.ours.at(-1)?.seconds.toFixed(2)} s, bare ASOF JOIN ${found.bare.at(-1)?.seconds.toFixed(2)} s`,
      )
    }
    const shown = `training set of ${rows?.toLocaleString('en')} rows`
    return [
      line(`${shown}, beside a bare ASOF JOIN`, found.ours, found.bare),
      ...(packages === null ? [] : [line(`${shown}, beside polars' join_asof`, found.ours, found.polars)]),
    ]
  } finally {
    close()
  }
}

async function snapshots(folder: string): Promise<readonly string[]> {
  const [events, count] = [Number(values.events), Number(values.snapshots)]
  if (events === 0) return []
  const place = path.join(folder, 'events')
  await mkdir(place)
  const { connection, close } = await peer(folder)
  try {
    const customers = Math.ceil(Number(values.customers) / 5)
    await makeEvents(connection, place, { events, customers, days: count })
    const engine = duckDbEngine({ memoryLimit, lake: { extensionsFolder: null, s3: readS3Access({}) } })
    const [ours, theirs] = [path.join(folder, 'snapshots'), path.join(folder, 'by-hand.parquet')]
    const found = { ours: [] as Measured[], byHand: [] as Measured[] }
    for (let round = 0; round < rounds; round += 1) {
      found.ours.push(
        await measured(() =>
          snapshotsByEngine(engine, { events: place, output: ours, snapshots: count, from }),
        ),
      )
      found.byHand.push(
        await measured(() =>
          snapshotsByHand(connection, { events: place, output: theirs, snapshots: count, from }),
        ),
      )
      const differing = await differingSnapshots(connection, ours, theirs)
      if (differing > 0) throw new Error(`WRONG ROWS: ${differing} snapshots differ from those by hand`)
      say(
        `snapshots, round ${round + 1}: ours ${found.ours.at(-1)?.seconds.toFixed(2)} s, by hand ${found.byHand.at(-1)?.seconds.toFixed(2)} s`,
      )
    }
    return [
      line(
        `${count} snapshots of ${events.toLocaleString('en')} events, beside SQL by hand`,
        found.ours,
        found.byHand,
      ),
    ]
  } finally {
    close()
  }
}

/** In CPU seconds of its process, which has ended by then. */
async function bySpark(folder: string): Promise<string | null> {
  const submit = values.spark ? await sparkSubmit() : null
  if (submit === null) return null
  const [place, output] = [path.join(folder, 'spark-events'), path.join(folder, 'spark-rows')]
  await mkdir(place)
  const { connection, close } = await peer(folder)
  try {
    await makeEvents(connection, place, { events: 2_000_000, customers: 20_000, days: 100 })
    const { seconds } = await measured(() =>
      snapshotsByEngine(sparkEngine({ submit }), { events: place, output, snapshots: 100, from }),
    )
    const byHand = path.join(folder, 'spark-by-hand.parquet')
    await snapshotsByHand(connection, { events: place, output: byHand, snapshots: 100, from })
    const differing = await differingSnapshots(connection, output, byHand)
    if (differing > 0)
      throw new Error(`WRONG ROWS: ${differing} of Spark's snapshots differ from those by hand`)
    return `Spark, 2,000,000 events of 20,000 customers, 100 snapshots: ${seconds.toFixed(0)} s with its start`
  } finally {
    close()
  }
}

async function main(): Promise<void> {
  if (values.help) return say(usage)
  const folder = await mkdtemp(path.join(tmpdir(), 'featuregraph-lake-bench-'))
  const before = loadavg()[0]?.toFixed(1)
  try {
    const lines = [...(await trainingSets(folder)), ...(await snapshots(folder))]
    const spark = await bySpark(folder)
    const head = ['', 'ours s', 'our CPU s', 'theirs s', 'their CPU s', 'ours / theirs', 'of CPU']
    process.stdout.write(
      [
        `| ${head.join(' | ')} |`,
        `| ${head.map(() => '---').join(' | ')} |`,
        ...lines,
        '',
        ...(spark === null ? [] : [spark]),
        `${cpus().length} cores, load ${before} before, ${loadavg()[0]?.toFixed(1)} after; ${rounds} rounds, medians; ${memoryLimit} for each DuckDB. All answers were compared.`,
        '',
      ].join('\n'),
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

await main().catch((error: unknown) => {
  say(error instanceof Error ? (error.stack ?? error.message) : String(error))
  process.exitCode = 1
})
