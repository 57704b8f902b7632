import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startPostgres } from '../../test/services/postgres.ts'
import { startRedis } from '../../test/services/redis.ts'
import { endWith } from '../run-bench.ts'
import { startFeast } from './feast.ts'
import type { AskedWorld, Target } from './load.ts'
import { type LoadProcess, startLoad } from './load-process.ts'
import { loadWorld } from './load-world.ts'
import type { Options } from './options.ts'
import { serverNames } from './report.ts'
import { type BenchServer, compilePrograms, ensureBuilt, root, startServer } from './servers.ts'
import { project } from './world.ts'

/** What is measured under one name. */
export interface Contender extends Pick<Target, 'protocol'> {
  readonly name: string
  readonly isGateway: boolean
  readonly processes: readonly BenchServer[]
}

export interface Bench {
  readonly contenders: readonly Contender[]
  readonly redisPid: number
  readonly load: LoadProcess
  readonly world: AskedWorld
}

/** Redis, Postgres, the rows, then all servers; ended by `endAll`. */
export async function setUp(options: Options, say: (line: string) => void): Promise<Bench> {
  const folder = await mkdtemp(path.join(tmpdir(), 'featuregraph-bench-'))
  endWith(() => rm(folder, { recursive: true, force: true }))
  for (const checkout of [root, ...options.also])
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
  const [transactionPrefix, realtimePrefix] = await loadWorld(environment, redis.url, base, options.customers)
  say(`${options.customers} customers loaded in ${((performance.now() - started) / 1_000).toFixed(1)} s`)

  const contenders: Contender[] = []
  const add = (contender: Contender): void => {
    endWith(...contender.processes.map(({ stop }) => stop))
    contenders.push(contender)
  }
  // As a deployment would: graphql-js checks types more slowly without it.
  const production = { NODE_ENV: 'production', REDIS_URL: redis.url }
  const bare = async (name: string, script: string, more: Readonly<Record<string, string>> = {}) => {
    const start = {
      name,
      script: path.join(programs, script),
      environment: { ...production, ...more },
      folder,
    }
    add({ name, protocol: 'graphql', isGateway: false, processes: [await startServer(start)] })
  }
  const gateway = async (name: string, checkout: string, count = 1) => {
    const processes: BenchServer[] = []
    for (let index = 0; index < count; index += 1)
      processes.push(
        await startServer({
          ...{ name: `${name} ${index}`, environment, folder },
          script: path.join(checkout, 'src/featuregraph.js'),
          args: ['serve'],
          readyPath: '/readyz',
        }),
      )
    add({ name, protocol: 'graphql', isGateway: true, processes })
  }
  if (options.soakMinutes !== null) await gateway(serverNames.gateway, root)
  else {
    await bare(serverNames.floor, 'floor-server.mjs', {
      TRANSACTION_PREFIX: transactionPrefix ?? '',
      REALTIME_PREFIX: realtimePrefix ?? '',
    })
    await gateway(serverNames.gateway, root)
    for (const checkout of options.also) await gateway(`${serverNames.gateway} of ${checkout}`, checkout)
    if (options.processes !== null)
      await gateway(`${options.processes} ${serverNames.gateway}s`, root, options.processes)
    await bare(serverNames.apollo, 'apollo-default-server.mjs')
    if (options.feast) {
      const feast = await startFeast(folder, redis.url, { base, customers: options.customers })
      if ('reason' in feast) say(`without Feast: ${feast.reason}`)
      else add({ name: serverNames.feast, protocol: 'feast', isGateway: false, processes: [feast] })
    }
  }
  const load = startLoad(path.join(programs, 'load.mjs'))
  endWith(load.stop)
  const { customers, bodies } = options
  return { contenders, redisPid: redis.pid, load, world: { base, customers, bodies } }
}
