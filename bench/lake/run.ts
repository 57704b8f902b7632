import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
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
import { endedChildrenMicros } from '../online/process-usage.ts'
import { endWith, loads, runBench, say, WrongAnswers, wholeNumbers } from '../run-bench.ts'
import { bareAsOf, differingRows } from './bare-asof.ts'
import { differingSnapshots, makeEvents, snapshotsByEngine, snapshotsByHand } from './snapshots.ts'
import { joinOf, makeWorld, type Sizes } from './world.ts'

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
  --spark              snapshots by a Spark of this machine with one core, once
  --spark-events 2000000
  --spark-customers 20000`

const run = promisify(execFile)

interface Options {
  readonly sizes: Sizes
  readonly snapshots: { readonly events: number; readonly customers: number; readonly count: number }
  readonly spark: { readonly events: number; readonly customers: number } | null
  readonly rounds: number
  readonly memoryLimit: string
  readonly hasPolars: boolean
}

function readOptions(): Options | null {
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
      'spark-events': { type: 'string', default: '2000000' },
      'spark-customers': { type: 'string', default: '20000' },
    },
  })
  const { customers, days, momentary, rows, rounds, snapshots } = values
  const sizes = wholeNumbers({ customers, days, momentary, rows })
  const others = wholeNumbers({ rounds, count: snapshots })
  const spark = wholeNumbers({ events: values['spark-events'], customers: values['spark-customers'] })
  const events = Number(values.events)
  if (sizes === null || others === null || spark === null || !Number.isSafeInteger(events)) return null
  return {
    ...{ sizes, rounds: others.rounds, memoryLimit: values.memory, hasPolars: values.polars },
    snapshots: { events, customers: Math.ceil(sizes.customers / 5), count: others.count },
    spark: values.spark ? spark : null,
  }
}

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

async function peer(folder: string, memoryLimit: string) {
  const instance = await DuckDBInstance.create(':memory:', {
    ...{ threads: String(cpus().length), memory_limit: memoryLimit, temp_directory: folder },
  })
  const connection = await instance.connect()
  await connection.run(`set timezone = 'UTC'`)
  return { connection, close: () => instance.closeSync() }
}

async function trainingSets(
  folder: string,
  { sizes, rounds, memoryLimit, hasPolars }: Options,
): Promise<readonly string[]> {
  const { connection, close } = await peer(folder, memoryLimit)
  try {
    await makeWorld(connection, folder, sizes)
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
    const packages = hasPolars ? await pythonPackages('polars-1', ['polars'], { alone: false }) : null
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
          throw new WrongAnswers(`${differing} of ${sizes.rows} rows differ from ${path.basename(theirs)}`)
      }
      say(
        `training set, round ${round + 1}: ours ${found.ours.at(-1)?.seconds.toFixed(2)} s, bare ASOF JOIN ${found.bare.at(-1)?.seconds.toFixed(2)} s`,
      )
    }
    const shown = `training set of ${sizes.rows.toLocaleString('en')} rows`
    return [
      line(`${shown}, beside a bare ASOF JOIN`, found.ours, found.bare),
      ...(packages === null ? [] : [line(`${shown}, beside polars' join_asof`, found.ours, found.polars)]),
    ]
  } finally {
    close()
  }
}

const openDuckDbEngine = (memoryLimit: string) =>
  duckDbEngine({ memoryLimit, lake: { extensionsFolder: null, s3: readS3Access({}) } })

async function snapshots(
  folder: string,
  { snapshots: { events, customers, count }, rounds, memoryLimit }: Options,
): Promise<readonly string[]> {
  if (events === 0) return []
  const place = path.join(folder, 'events')
  await mkdir(place)
  const { connection, close } = await peer(folder, memoryLimit)
  try {
    await makeEvents(connection, place, { events, customers, days: count })
    const engine = openDuckDbEngine(memoryLimit)
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
      if (differing > 0) throw new WrongAnswers(`${differing} snapshots differ from those by hand`)
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

/** With one core, so that its CPU seconds do not hide waiting. */
async function bySpark(
  folder: string,
  { spark, snapshots: { count }, memoryLimit }: Options,
): Promise<readonly string[]> {
  const submit = spark === null ? null : await sparkSubmit('local[1]')
  if (spark === null || submit === null) return []
  const [place, output] = [path.join(folder, 'spark-events'), path.join(folder, 'spark-rows')]
  await mkdir(place)
  const { connection, close } = await peer(folder, memoryLimit)
  try {
    await makeEvents(connection, place, { ...spark, days: count })
    const before = endedChildrenMicros()
    const { seconds } = await measured(() =>
      snapshotsByEngine(sparkEngine({ submit }), { events: place, output, snapshots: count, from }),
    )
    const after = endedChildrenMicros()
    const byDuckDb = path.join(folder, 'duckdb-rows')
    const theirs = await measured(() =>
      snapshotsByEngine(openDuckDbEngine(memoryLimit), {
        ...{ events: place, output: byDuckDb, snapshots: count, from },
      }),
    )
    const open = path.join(folder, 'duckdb-rows.parquet')
    await connection.run(
      `copy (select * from read_parquet('${byDuckDb}/*.parquet') where not closing) to '${open}' (format parquet)`,
    )
    const differing = await differingSnapshots(connection, output, open)
    if (differing > 0) throw new WrongAnswers(`${differing} of Spark's snapshots differ from DuckDB's`)
    const isKnown = before !== null && after !== null
    const ours = { seconds, cpuSeconds: isKnown ? (after - before) / 1e6 : Number.NaN }
    const what = `${count} snapshots of ${spark.events.toLocaleString('en')} events of ${spark.customers.toLocaleString('en')} customers by Spark with its start, beside our DuckDB`
    return [line(what, [ours], [theirs])]
  } finally {
    close()
  }
}

async function bench(options: Options): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'featuregraph-lake-bench-'))
  endWith(() => rm(folder, { recursive: true, force: true }))
  const before = loads()
  const lines = [
    ...(await trainingSets(folder, options)),
    ...(await snapshots(folder, options)),
    ...(await bySpark(folder, options)),
  ]
  const head = ['', 'ours s', 'our CPU s', 'theirs s', 'their CPU s', 'ours / theirs', 'of CPU']
  process.stdout.write(
    [
      `| ${head.join(' | ')} |`,
      `| ${head.map(() => '---').join(' | ')} |`,
      ...lines,
      '',
      `${cpus().length} cores, load average ${before} before, ${loads()} after; ${options.rounds} rounds, medians, Spark once; ${options.memoryLimit} for each DuckDB. All answers were compared.`,
      '',
    ].join('\n'),
  )
}

await runBench(usage, readOptions, bench)
