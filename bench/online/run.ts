import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { startPostgres } from '../../test/services/postgres.ts'
import { startRedis } from '../../test/services/redis.ts'
import { endWith, runBench, say } from '../run-bench.ts'
import { coresOfOthers, type Measurement } from './cells.ts'
import type { Target } from './load.ts'
import { type LoadProcess, startLoad } from './load-process.ts'
import { loadWorld } from './load-world.ts'
import { cpuMicros, machineMicros, residentBytes } from './process-usage.ts'
import { type RowOf, resultTable, serverNames, verdicts } from './report.ts'
import { type BenchServer, compilePrograms, ensureBuilt, root, startServer } from './servers.ts'
import { customerCount, project } from './world.ts'

const usage = `npm run bench -- [options]
  --rounds 5       interleaved rounds
  --seconds 1      length of a burst
  --quick          two rounds of 0.3 s: shows that it runs, its figures mean little
  --also <folder>  measure the gateway of another checkout too (may be repeated)`

const sizes = [1, 10, 100]
const connectionCounts = [32, 1]

interface Options {
  readonly rounds: number
  readonly seconds: number
  readonly also: readonly string[]
}

function readOptions(): Options | null {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      also: { type: 'string', multiple: true, default: [] },
    },
  })
  const rounds = Number(values.rounds ?? (values.quick ? 2 : 5))
  const seconds = Number(values.seconds ?? (values.quick ? 0.3 : 1))
  if (!(Number.isInteger(rounds) && rounds > 0 && seconds > 0)) return null
  return { rounds, seconds, also: values.also.map((folder) => path.resolve(folder)) }
}

interface Bench {
  readonly servers: readonly BenchServer[]
  readonly redisPid: number
  readonly load: LoadProcess
  readonly base: number
}

/** Redis, Postgres, the rows, then all servers. */
async function setUp(options: Options): Promise<Bench> {
  const folder = await mkdtemp(path.join(tmpdir(), 'featuregraph-bench-'))
  endWith(() => rm(folder, { recursive: true, force: true }))
  const gateways = [root, ...options.also]
  for (const checkout of gateways)
    say(`gateway: node src/featuregraph.js serve in ${checkout}, compiled (${await ensureBuilt(checkout)})`)
  const programs = await compilePrograms(['load', 'floor-server', 'apollo-default-server'])
  const [redis, postgres] = await Promise.all([startRedis(), startPostgres()])
  endWith(redis.stop, postgres.stop)
  const environment = {
    FEATUREGRAPH_ONLINE_URL: redis.url,
    FEATUREGRAPH_OFFLINE_URL: postgres.url,
    FEATUREGRAPH_PROJECT: project,
    FEATUREGRAPH_DEMO: 'false',
    FEATUREGRAPH_SCHEMA: path.join(root, 'bench/online/schema'),
    FEATUREGRAPH_LOG_LEVEL: 'warn',
    // A stall of the machine is not a wrong answer.
    FEATUREGRAPH_ONLINE_TIMEOUT_MS: '5000',
  }
  const base = Date.now() * 1_000
  const started = performance.now()
  const [transactionPrefix, realtimePrefix] = await loadWorld(environment, redis.url, base)
  say(`${customerCount} customers loaded in ${((performance.now() - started) / 1_000).toFixed(1)} s`)
  const servers: BenchServer[] = []
  const start = async (server: Omit<Parameters<typeof startServer>[0], 'folder'>): Promise<void> => {
    const running = await startServer({ ...server, folder })
    endWith(running.stop)
    servers.push(running)
  }
  // As a deployment would: graphql-js checks types more slowly without it.
  const production = { NODE_ENV: 'production', REDIS_URL: redis.url }
  await start({
    name: serverNames.floor,
    script: path.join(programs, 'floor-server.mjs'),
    environment: {
      ...production,
      TRANSACTION_PREFIX: transactionPrefix ?? '',
      REALTIME_PREFIX: realtimePrefix ?? '',
    },
  })
  for (const checkout of gateways) {
    await start({
      name: checkout === root ? serverNames.gateway : `${serverNames.gateway} of ${checkout}`,
      script: path.join(checkout, 'src/featuregraph.js'),
      args: ['serve'],
      environment,
      readyPath: '/readyz',
    })
  }
  await start({
    name: serverNames.apollo,
    script: path.join(programs, 'apollo-default-server.mjs'),
    environment: production,
  })
  const load = startLoad(path.join(programs, 'load.mjs'))
  endWith(load.stop)
  return { servers, redisPid: redis.pid, load, base }
}

/** Sizes and operations for every server: freshness is the gateways' alone, and only at the largest size. */
function targetsOf(servers: readonly BenchServer[]): readonly (Target & { readonly pid: number })[] {
  return sizes.flatMap((entities) =>
    servers.flatMap(({ name, port, pid }) => {
      const target = { server: name, port, pid, entities }
      const withFreshness = entities === 100 && name.startsWith(serverNames.gateway)
      return [
        { ...target, operation: 'features' as const },
        ...(withFreshness ? [{ ...target, operation: 'freshness' as const }] : []),
      ]
    }),
  )
}

async function measure({ servers, redisPid, load, base }: Bench, options: Options) {
  const cells = new Map<string, Measurement[]>()
  const keyOf = (row: RowOf): string => `${row.server} ${row.operation} ${row.entities} ${row.connections}`
  const gateway = servers.find(({ name }) => name === serverNames.gateway)
  const targets = targetsOf(servers)
  let resident: number | null = null

  async function burst(target: (typeof targets)[number], connections: number, round: number): Promise<void> {
    const [server, redis, machine] = [cpuMicros(target.pid), cpuMicros(redisPid), machineMicros()]
    const order = { kind: 'burst', target, options: { connections, seconds: options.seconds } } as const
    const report = await load.obey(order)
    if (report.kind !== 'burst') throw new TypeError(`a burst was answered by ${report.kind}`)
    const key = keyOf({ ...target, connections })
    const measurement = {
      ...report.burst,
      round,
      serverCpuMicros: since(server, cpuMicros(target.pid)),
      redisCpuMicros: since(redis, cpuMicros(redisPid)),
      machineCpuMicros: since(machine, machineMicros()),
    }
    if (round > 0) cells.set(key, [...(cells.get(key) ?? []), measurement])
    const bytes = gateway ? residentBytes(gateway.pid) : null
    if (bytes !== null) resident = Math.max(resident ?? 0, bytes)
  }

  for (const target of targets) {
    await load.obey({ kind: 'check', target, base })
    // Round 0 warms and is not counted.
    await burst(target, 32, 0)
  }
  say(`every body's answer was compared with the expected values; every later answer with those bytes`)
  for (let round = 1; round <= options.rounds; round += 1) {
    // Another order each round, so that no server always follows the same one.
    const turned = [...targets.slice(round % targets.length), ...targets.slice(0, round % targets.length)]
    for (const connections of connectionCounts)
      for (const target of turned) await burst(target, connections, round)
    say(`round ${round} of ${options.rounds}`)
  }

  const rows = connectionCounts.flatMap((connections) =>
    targets.map(({ server, operation, entities }): RowOf => ({ server, operation, entities, connections })),
  )
  const find = (
    server: string,
    operation: RowOf['operation'],
    entities: number,
    connections: number,
  ): Measurement[] => cells.get(keyOf({ server, operation, entities, connections })) ?? []
  const others = coresOfOthers([...cells.values()].flat())
  const paragraphs = [
    resultTable(rows, find),
    verdicts(find, resident).join('\n'),
    ...(others === null ? [] : [`Processes of others used ${others.toFixed(2)} cores in the median burst.`]),
    remarks,
  ]
  process.stdout.write(`\n${paragraphs.join('\n\n')}\n`)
}

const remarks = `Medians over the rounds; a share of the floor is taken within a round. Generator, Redis and server share the machine's
cores: where "server busy" is well below 100 % at 32 connections something else was the limit, and the floor, the
fastest, loses most by it. Then "of the floor by CPU" (the floor's CPU a request over the server's, the threads of the
garbage collector included) is the honest figure, and a goal that is met by requests a second is reported as unsure.
The floor and default Apollo run with NODE_ENV=production, the gateway as npm start runs it.
Off Linux, CPU and memory are not measured.`

function since(before: number | null, after: number | null): number | null {
  return before === null || after === null ? null : after - before
}

await runBench(usage, readOptions, async (options) => measure(await setUp(options), options))
