import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { cpus, tmpdir, totalmem } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { Redis } from 'ioredis'
import { kafkaEventStream } from '../../src/stores/kafka/event-stream.ts'
import { parseKafkaUrl } from '../../src/stores/kafka/kafka-url.ts'
import { kafkaOrSkip } from '../../test/services/kafka.ts'
import { startRedis } from '../../test/services/redis.ts'
import { testPool } from '../../test/services/test-pool.ts'
import { type DurablePostgres, postgresSettings, startDurablePostgres } from '../ingest/durable-postgres.ts'
import { ensureBuilt, root } from '../online/servers.ts'
import { endWith, loads, runBench, say, wholeNumbers } from '../run-bench.ts'
import type { Bench, Finding } from './bench.ts'
import { measureLatency } from './latency.ts'
import { measureMemory } from './memory.ts'
import { measureRate } from './rate.ts'
import { findingTable } from './report.ts'
import { partitions } from './world.ts'

const usage = `npm run bench:stream -- [options]
  --events 400000       in the topic, for the rate
  --peer-events 50000   of them, how many the seed's processor takes
  --customers 10000
  --rounds 3            ours and the peer by turns, so often
  --seconds 30          of paced events, for the latency
  --pace 10000          of them, a second
  --only <parts>        some of rate,latency,memory
  --ids                 the events have ids, of which each counts once
  --cpu-prof <folder>   our stream processes leave their profiles there; the figures are worse then`

const parts = ['rate', 'latency', 'memory'] as const
type Part = (typeof parts)[number]

type Options = Pick<
  Bench,
  'events' | 'peerEvents' | 'customers' | 'rounds' | 'latency' | 'hasIds' | 'profileFolder'
> & {
  readonly only: readonly Part[]
}

function readOptions(): Options | null {
  const { values } = parseArgs({
    options: {
      events: { type: 'string', default: '400000' },
      'peer-events': { type: 'string', default: '50000' },
      customers: { type: 'string', default: '10000' },
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '30' },
      pace: { type: 'string', default: '10000' },
      only: { type: 'string', default: parts.join(',') },
      ids: { type: 'boolean', default: false },
      'cpu-prof': { type: 'string' },
    },
  })
  const { events, customers, rounds, seconds, pace } = values
  const sizes = wholeNumbers({ events, customers, rounds, seconds, pace, most: values['peer-events'] })
  const named = values.only.split(',')
  const only = parts.filter((part) => named.includes(part))
  if (sizes === null || only.length < named.length) return null
  const folder = values['cpu-prof']
  return {
    ...{ events: sizes.events, customers: sizes.customers, rounds: sizes.rounds, only },
    peerEvents: Math.min(sizes.most, sizes.events),
    latency: { seconds: sizes.seconds, rate: sizes.pace },
    hasIds: values.ids,
    profileFolder: folder === undefined ? null : path.resolve(folder),
  }
}

interface SetUp {
  readonly bench: Bench
  readonly postgres: DurablePostgres
}

async function setUp(options: Options): Promise<SetUp> {
  const folder = await mkdtemp(path.join(tmpdir(), 'featuregraph-bench-'))
  endWith(() => rm(folder, { recursive: true, force: true }))
  if (options.profileFolder !== null) await mkdir(options.profileFolder, { recursive: true })
  say(`our processes are compiled (${await ensureBuilt(root)})`)
  const kafka = await kafkaOrSkip()
  if (kafka === null) throw new Error('the bench needs a Kafka: see CONTRIBUTING.md')
  endWith(kafka.stop)
  const postgres = await startDurablePostgres()
  endWith(postgres.stop)
  const redisServer = await startRedis()
  endWith(redisServer.stop)
  const pool = testPool(postgres.url, 2, null)
  endWith(() => pool.end())
  const redis = new Redis(redisServer.url)
  endWith(() => redis.disconnect())
  const stream = kafkaEventStream(parseKafkaUrl(`kafka://${kafka.bootstrap}`, 'the bench'))
  endWith(stream.close)
  const { events, peerEvents, customers, rounds, latency, hasIds, profileFolder } = options
  return {
    postgres,
    bench: {
      ...{ events, peerEvents, customers, rounds, latency, hasIds, profileFolder },
      ...{ folder, kafka, stream, pool, redis, say },
      postgresUrl: postgres.url,
      redisUrl: redisServer.url,
    },
  }
}

async function measure(bench: Bench, { only }: Options): Promise<readonly Finding[]> {
  return [
    ...(only.includes('rate') ? await measureRate(bench) : []),
    ...(only.includes('latency') ? await measureLatency(bench) : []),
    ...(only.includes('memory') ? await measureMemory(bench) : []),
  ]
}

async function machineLine({ bench: { redis }, postgres }: SetUp): Promise<string> {
  const [, redisVersion = ''] = /redis_version:(\S+)/.exec(await redis.info('server')) ?? []
  const gigabytes = Math.round(totalmem() / 1e9)
  return `${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}), ${gigabytes} GB, Node ${process.versions.node}, Postgres ${postgres.version} (${postgresSettings.join(', ')}; fsync and synchronous_commit on), Redis ${redisVersion}, one Kafka broker 4.x`
}

const remarks = `Medians over the rounds; a ratio is taken within a round. Events are JSON of about 120 bytes, keyed by customer, in
${partitions} partitions. Our rate counts from the moment that the process was given its partitions to the moment that a gateway's
answers are right, the peer's from its first message to its last pipeline; the peer keeps nothing but its counters, and they
never shrink. Kafka, Postgres, Redis, the gateway and the bench share the machine's cores with what is measured. All
answers about all customers were checked against the events as they were sent.`

async function run(options: Options): Promise<void> {
  const loadBefore = loads()
  const ready = await setUp(options)
  const findings = await measure(ready.bench, options)
  const paragraphs = [
    findingTable(findings),
    `${await machineLine(ready)}; load average ${loadBefore} before, ${loads()} after; ${options.events} events, ${options.customers} customers, ${options.rounds} rounds.`,
    remarks,
  ]
  process.stdout.write(`\n${paragraphs.join('\n\n')}\n`)
}

await runBench(usage, readOptions, run)
