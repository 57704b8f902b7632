import { setTimeout as sleep } from 'node:timers/promises'
import { range } from '../online/cells.ts'
import { WrongAnswers } from '../run-bench.ts'
import type { Bench, Finding, Peer } from './bench.ts'
import { type Oracle, openOracle } from './oracle.ts'
import { openOurs, untilRight } from './ours.ts'
import { produce } from './produce.ts'
import { openSeedProcessor, type SeedRun } from './seed-processor.ts'
import { mix, now, partitions, type Transaction, transactionOf } from './world.ts'

const topic = 'transactions'
/** Of event times, behind the moment that they are sent: no event leaves the window for a quarter of an hour. */
const spanMicros = 45 * 60_000_000
const jitterMicros = 2_000_000
const storedWithinMs = 900_000
/** From when all are stored. */
const appliedWithinMs = 120_000
const rightWithinMs = 30_000

interface Drained {
  readonly storedSeconds: number
  readonly appliedSeconds: number
  readonly cpuSeconds: number | null
  readonly peakBytes: number | null
}

interface Round {
  readonly ours: Drained
  readonly peer: SeedRun | null
}

/** A full topic into the tiles by one process of ours, and as much of it as it may take by the seed's processor. */
export async function measureRate(bench: Bench): Promise<readonly Finding[]> {
  const oracle = openOracle()
  await bench.kafka.createTopic(topic, partitions)
  const started = performance.now()
  const tail = await produce(bench.stream, topic, pastTransactions(bench), oracle)
  bench.say(`${bench.events} events sent in ${((performance.now() - started) / 1_000).toFixed(1)} s`)
  const seed = await openSeedProcessor()
  if (typeof seed !== 'function') bench.say(`the seed's processor is left out: ${seed.reason}`)
  const rounds: Round[] = []
  for (let round = 0; round < bench.rounds; round += 1) {
    const runPeer = async (): Promise<SeedRun | null> =>
      typeof seed === 'function' ? await runSeed(bench, oracle, seed) : null
    // Another first in every round.
    const before = round % 2 === 1 ? await runPeer() : null
    const ours = await drain(bench, `rate_${round}`, oracle, tail)
    rounds.push({ ours, peer: round % 2 === 1 ? before : await runPeer() })
  }
  return findingsOf(bench, rounds, typeof seed === 'function' ? null : seed.reason)
}

/** In order but for some jitter; no two runs need the same ones. */
function* pastTransactions({ events, customers }: Bench): Generator<Transaction> {
  const start = now() - spanMicros
  const step = (spanMicros - jitterMicros) / events
  for (let index = 0; index < events; index += 1) {
    const at = Math.floor(start + index * step + (mix(index, 5) % jitterMicros))
    yield transactionOf(index, 1 + (mix(index, 1) % customers), at)
  }
}

async function drain(
  bench: Bench,
  project: string,
  oracle: Oracle,
  tail: readonly number[],
): Promise<Drained> {
  const { say, events, pool, redis } = bench
  await redis.flushall()
  await pool.query('checkpoint')
  const ours = await openOurs(bench, project, topic)
  try {
    const consumer = await ours.consume()
    const secondsSince = (): number => (Date.now() - consumer.assignedMs) / 1_000
    const untilStored = async (): Promise<number> => {
      while ((await ours.kept()) < events) {
        if (secondsSince() > storedWithinMs / 1_000)
          throw new WrongAnswers(`${await ours.kept()} of ${events} events were kept in ${secondsSince()} s`)
        await sleep(50)
      }
      return secondsSince()
    }
    const kept = untilStored()
    const untilApplied = async (): Promise<number> => {
      await untilRight(ours, oracle, tail, { everyMs: 50, withinMs: appliedWithinMs, from: kept })
      await untilRight(ours, oracle, oracle.customers(), { everyMs: 50, withinMs: rightWithinMs })
      return secondsSince()
    }
    const [storedSeconds, appliedSeconds] = await Promise.all([kept, untilApplied()])
    const cpu = consumer.cpuMicros()
    const drained = {
      storedSeconds,
      appliedSeconds,
      cpuSeconds: cpu === null ? null : cpu / 1e6,
      peakBytes: await consumer.peakBytes(),
    }
    say(
      `${project}: ours kept all in ${storedSeconds.toFixed(1)} s, applied all in ${appliedSeconds.toFixed(1)} s; the answers about ${oracle.customers().length} customers are right`,
    )
    return drained
  } finally {
    await ours.stop()
  }
}

async function runSeed(
  { kafka, redis, redisUrl, peerEvents, say }: Bench,
  oracle: Oracle,
  seed: (
    task: Parameters<Exclude<Awaited<ReturnType<typeof openSeedProcessor>>, { reason: string }>>[0],
  ) => Promise<SeedRun>,
): Promise<SeedRun> {
  await redis.flushall()
  const redisPort = new URL(redisUrl).port
  const run = await seed({ bootstrap: kafka.bootstrap, topic, redisPort, events: peerEvents })
  let total = 0
  for (const customer of oracle.customers()) {
    const count = Number(await redis.hget(`customer:${customer}:realtime`, 'transactions_last_hour'))
    if (count > oracle.total(customer))
      throw new WrongAnswers(`the seed's processor counted ${count} transactions of customer ${customer}`)
    total += count
  }
  if (total !== peerEvents)
    throw new WrongAnswers(`the seed's processor counted ${total} of ${peerEvents} events`)
  say(`the seed's processor: ${peerEvents} events in ${run.seconds.toFixed(1)} s`)
  return run
}

function findingsOf(
  { events, peerEvents }: Bench,
  rounds: readonly Round[],
  absent: string | null,
): readonly Finding[] {
  const rates = rounds.map(({ ours }) => events / ours.appliedSeconds)
  const peerRates = rounds.map(({ peer }) => (peer === null ? Number.NaN : peerEvents / peer.seconds))
  const name = "the seed's processor"
  const peer: Peer =
    absent === null
      ? {
          kind: 'RUN',
          name: `${name}, ${rounds[0]?.peer?.version ?? ''}`,
          rate: range(peerRates),
          ratio: range(rates.map((rate, round) => rate / (peerRates[round] ?? Number.NaN))),
        }
      : { kind: 'ABSENT', name, reason: absent }
  const shared = { unit: 'events/s', digits: 0 }
  return [
    {
      ...shared,
      what: 'all in the online tiles',
      ours: range(rates),
      goal: { kind: 'AT_LEAST', value: 20_000 },
      remark: cpuRemark(events, rounds),
    },
    {
      ...shared,
      what: 'all in the online tiles, beside the seed',
      ours: range(rates),
      goal: { kind: 'TIMES_AT_LEAST', times: 4, peer },
      remark: cpuRemarkOfPeer(peerEvents, rounds),
    },
    {
      ...shared,
      what: 'all kept in Postgres',
      ours: range(rounds.map(({ ours }) => events / ours.storedSeconds)),
      goal: { kind: 'NONE' },
      remark: 'a part of the same runs',
    },
  ]
}

function cpuRemark(events: number, rounds: readonly Round[]): string {
  const cpu = rounds.flatMap(({ ours }) => (ours.cpuSeconds === null ? [] : [ours.cpuSeconds]))
  const peak = rounds.flatMap(({ ours }) => (ours.peakBytes === null ? [] : [ours.peakBytes]))
  if (cpu.length === 0 || peak.length === 0) return 'CPU and memory are not known on this system'
  const micros = (range(cpu).median / events) * 1e6
  return `our process: ${micros.toFixed(0)} µs of CPU an event, at most ${(Math.max(...peak) / 1e6).toFixed(0)} MB`
}

function cpuRemarkOfPeer(events: number, rounds: readonly Round[]): string {
  const cpu = rounds.flatMap(({ peer }) => (peer === null ? [] : [peer.cpuSeconds]))
  if (cpu.length === 0) return ''
  return `its process: ${((range(cpu).median / events) * 1e6).toFixed(0)} µs of CPU an event`
}
