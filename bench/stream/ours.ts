import { mkdir, open, readFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { spawnTied } from '../../src/embedded/pipe-tie.ts'
import { cpuMicros } from '../online/process-usage.ts'
import { root, startServer } from '../online/servers.ts'
import { WrongAnswers } from '../run-bench.ts'
import type { Bench } from './bench.ts'
import type { Answer, Oracle } from './oracle.ts'
import { firstTileAt, now, writeDefinitions } from './world.ts'

/** `featuregraph stream` and a gateway, each a process, over one topic in a project of their own. */
export interface Ours {
  /** When it was given its partitions. Starts the process. */
  readonly consume: () => Promise<Consumer>
  /** Answers of a gateway, in order, at most a thousand. */
  readonly ask: (customers: readonly number[]) => Promise<readonly Answer[]>
  /** Events that are stored, or refused. */
  readonly kept: () => Promise<number>
  readonly stop: () => Promise<void>
}

export interface Consumer {
  /** When it was given its partitions, by this process's clock in ms. */
  readonly assignedMs: number
  readonly pid: number
  /** CPU of the process since it was given its partitions; null off Linux. */
  readonly cpuMicros: () => number | null
  readonly peakBytes: () => Promise<number | null>
  readonly stop: () => Promise<void>
}

const script = path.join(root, 'src/featuregraph.js')
const assignedWithinMs = 60_000
const chunk = 1_000

const query = `query ($ids: [Int64!]!) { customers(customerIds: $ids) { customerId customerRealtimeFeatures {
  transactionsLastHour amountLastHour failedTransactionsLastHour freshness { status } } } }`

interface AnsweredCustomer {
  readonly customerId: number
  readonly customerRealtimeFeatures:
    | (Omit<Answer, 'customerId' | 'status'> & { readonly freshness: { readonly status: string } })
    | null
}

/** The gateway is started and ready. */
export async function openOurs(bench: Bench, project: string, topic: string): Promise<Ours> {
  const folder = path.join(bench.folder, project)
  await mkdir(folder)
  const environment = {
    FEATUREGRAPH_OFFLINE_URL: bench.postgresUrl,
    FEATUREGRAPH_ONLINE_URL: bench.redisUrl,
    FEATUREGRAPH_STREAM_URL: `kafka://${bench.kafka.bootstrap}`,
    FEATUREGRAPH_PROJECT: project,
    FEATUREGRAPH_SCHEMA: await writeDefinitions(folder, topic, bench.hasIds),
    FEATUREGRAPH_DEMO: 'false',
    FEATUREGRAPH_WORKER: 'false',
    // A stall of the machine is not a wrong answer.
    FEATUREGRAPH_ONLINE_TIMEOUT_MS: '5000',
  }
  const gateway = await startServer({
    name: 'gateway',
    script,
    args: ['serve'],
    environment: { ...environment, FEATUREGRAPH_LOG_LEVEL: 'warn' },
    readyPath: '/readyz',
    folder,
  })
  let consumer: Consumer | null = null
  return {
    async consume() {
      const started = await startConsumer(bench, folder, environment)
      consumer = started
      return started
    },
    async ask(customers) {
      const response = await fetch(`http://127.0.0.1:${gateway.port}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query, variables: { ids: customers } }),
      })
      const { data } = (await response.json()) as {
        readonly data: { readonly customers: readonly (AnsweredCustomer | null)[] | null } | null
      }
      return customers.map((customerId, index) => {
        const view = data?.customers?.[index]?.customerRealtimeFeatures
        return {
          customerId,
          transactionsLastHour: view?.transactionsLastHour ?? null,
          amountLastHour: view?.amountLastHour ?? null,
          failedTransactionsLastHour: view?.failedTransactionsLastHour ?? null,
          status: view?.freshness.status ?? 'UNAVAILABLE',
        }
      })
    },
    async kept() {
      const { rows } = await bench.pool.query<{ kept: string }>(
        'select coalesce(sum(next_offset), 0) as kept from featuregraph.event_positions where project = $1',
        [project],
      )
      return Number(rows[0]?.kept)
    },
    async stop() {
      await consumer?.stop()
      await gateway.stop()
    },
  }
}

async function startConsumer(
  { profileFolder }: Bench,
  folder: string,
  environment: Readonly<Record<string, string>>,
): Promise<Consumer> {
  const logPath = path.join(folder, 'stream.log')
  const log = await open(logPath, 'a')
  try {
    const profiling =
      profileFolder === null
        ? []
        : [
            '--cpu-prof',
            `--cpu-prof-dir=${profileFolder}`,
            `--cpu-prof-name=${path.basename(folder)}-${Date.now()}.cpuprofile`,
          ]
    const child = await spawnTied(process.execPath, [...profiling, script, 'stream'], {
      cwd: folder,
      env: {
        PATH: process.env['PATH'] ?? '/usr/bin:/bin',
        ...environment,
        FEATUREGRAPH_LOG_LEVEL: 'info',
      },
      account: undefined,
      outputFd: log.fd,
    })
    const stop = async (): Promise<void> => {
      child.release()
      await child.exited
    }
    const until = performance.now() + assignedWithinMs
    for (;;) {
      const text = await readFile(logPath, 'utf8')
      const line = text.split('\n').find((one) => one.includes('"msg":"assigned '))
      if (line !== undefined) {
        const before = cpuMicros(child.pid)
        return {
          assignedMs: (JSON.parse(line) as { readonly time: number }).time,
          pid: child.pid,
          cpuMicros: () => since(before, cpuMicros(child.pid)),
          peakBytes: () => peakBytes(child.pid),
          stop,
        }
      }
      if (performance.now() > until) {
        await stop()
        throw new Error(`featuregraph stream was not given its partitions:\n${text}`)
      }
      await sleep(10)
    }
  } finally {
    await log.close()
  }
}

function since(before: number | null, after: number | null): number | null {
  return before === null || after === null ? null : after - before
}

async function peakBytes(pid: number): Promise<number | null> {
  if (process.platform !== 'linux') return null
  const [, kilobytes] = /^VmHWM:\s*(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? []
  return kilobytes === undefined ? null : Number(kilobytes) * 1_024
}

/** The first difference between answers and the oracle; null when all are right. */
export async function firstDifference(
  { ask }: Pick<Ours, 'ask'>,
  oracle: Oracle,
  customers: readonly number[],
): Promise<string | null> {
  for (let start = 0; start < customers.length; start += chunk) {
    const some = customers.slice(start, start + chunk)
    const before = now()
    const answers = await ask(some)
    // The window moved on while it was asked.
    if (firstTileAt(before) !== firstTileAt(now())) return await firstDifference({ ask }, oracle, customers)
    for (const answer of answers) {
      const difference = oracle.difference(answer, before)
      if (difference !== null) return difference
    }
  }
  return null
}

/**
 * Asks again and again until the answers about some customers are right. The time that it may take counts from the
 * moment that `from` resolves, else from now. @throws WrongAnswers when they do not come.
 */
export async function untilRight(
  ours: Pick<Ours, 'ask'>,
  oracle: Oracle,
  customers: readonly number[],
  options: { readonly everyMs: number; readonly withinMs: number; readonly from?: Promise<unknown> },
): Promise<void> {
  const { everyMs, withinMs, from = Promise.resolve() } = options
  let until = Number.POSITIVE_INFINITY
  const begin = (): void => {
    until = performance.now() + withinMs
  }
  from.then(begin, begin)
  for (;;) {
    const difference = await firstDifference(ours, oracle, customers)
    if (difference === null) return
    if (performance.now() > until) throw new WrongAnswers(difference)
    await sleep(everyMs)
  }
}
