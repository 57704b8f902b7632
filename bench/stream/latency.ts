import { setTimeout as sleep } from 'node:timers/promises'
import type { EventStream } from '../../src/stores/event-stream.ts'
import { kafkaEventStream } from '../../src/stores/kafka/event-stream.ts'
import { parseKafkaUrl } from '../../src/stores/kafka/kafka-url.ts'
import { WrongAnswers } from '../run-bench.ts'
import type { Bench, Finding } from './bench.ts'
import { type Oracle, openOracle } from './oracle.ts'
import { type Ours, openOurs, untilRight } from './ours.ts'
import { messageOf, mix, now, partitions, transactionOf } from './world.ts'

const topic = 'live'
/** A probe's customer has no other event. */
const firstProbe = 1_000_000
const warmUpMs = 3_000
const probeEveryMs = 50
const pollMs = 5
const tickMs = 20
const settledWithinMs = 60_000

/** From sending an event to the first answer that counts it, while others come at half the rate that is asked of us. */
export async function measureLatency(bench: Bench): Promise<readonly Finding[]> {
  await bench.redis.flushall()
  await bench.pool.query('checkpoint')
  await bench.kafka.createTopic(topic, partitions)
  const oracle = openOracle()
  const ours = await openOurs(bench, 'latency', topic)
  // Its own connection: a probe does not queue behind the others.
  const probes = kafkaEventStream(parseKafkaUrl(`kafka://${bench.kafka.bootstrap}`, 'the bench'))
  try {
    await ours.consume()
    // Before the first event nothing may be level.
    await probe(ours, probes, oracle, firstProbe)
    const ending = new AbortController()
    const paced = produceAtPace(bench, oracle, ending.signal)
    const latencies = await Promise.race([probeMany(bench, ours, probes, oracle), paced.then(() => [])])
    ending.abort()
    const rate = await paced
    await untilRight(ours, oracle, oracle.customers(), { everyMs: 200, withinMs: settledWithinMs })
    bench.say(
      `latency: ${latencies.length} probes at ${rate.toFixed(0)} events/s; the answers about ${oracle.customers().length} customers are right`,
    )
    return findingsOf(bench, latencies, rate)
  } finally {
    await probes.close()
    await ours.stop()
  }
}

/** Sends until it is ended; answers the rate that came of it. */
async function produceAtPace(
  { stream, customers, latency }: Bench,
  oracle: Oracle,
  signal: AbortSignal,
): Promise<number> {
  const started = performance.now()
  let sent = 0
  while (!signal.aborted) {
    const due = Math.floor(((performance.now() - started) / 1_000) * latency.rate)
    const transactions = Array.from({ length: due - sent }, (_, place) => {
      const index = sent + place
      return transactionOf(index, 1 + (mix(index, 1) % customers), now())
    })
    for (const transaction of transactions) oracle.add(transaction)
    await stream.publish(topic, transactions.map(messageOf))
    sent = due
    await sleep(tickMs)
  }
  return sent / ((performance.now() - started) / 1_000)
}

/** Sends one event of a customer without others; answers the milliseconds until it is counted. */
async function probe(ours: Ours, stream: EventStream, oracle: Oracle, customer: number): Promise<number> {
  const sent = send(stream, oracle, customer)
  const until = performance.now() + settledWithinMs
  for (;;) {
    const [answer] = await ours.ask([customer])
    if ((answer?.transactionsLastHour ?? 0) > 0) return performance.now() - (await sent)
    if (performance.now() > until)
      throw new WrongAnswers(`an event is not counted after ${settledWithinMs / 1_000} s`)
    await sleep(pollMs)
  }
}

async function send(stream: EventStream, oracle: Oracle, customer: number): Promise<number> {
  const transaction = transactionOf(customer, customer, now())
  oracle.add(transaction)
  const sentAt = performance.now()
  await stream.publish(topic, [messageOf(transaction)])
  return sentAt
}

/** A probe every so often, and one query again and again for all that are on their way. */
async function probeMany(
  { latency }: Bench,
  ours: Ours,
  stream: EventStream,
  oracle: Oracle,
): Promise<readonly number[]> {
  const latencies: number[] = []
  const waiting = new Map<number, { readonly sentAt: number; readonly counts: boolean }>()
  const started = performance.now()
  const lastAt = warmUpMs + latency.seconds * 1_000
  let next = 1
  const failed: unknown[] = []
  for (;;) {
    const elapsed = performance.now() - started
    if (elapsed >= next * probeEveryMs && elapsed < lastAt) {
      const customer = firstProbe + next
      waiting.set(customer, { sentAt: performance.now(), counts: elapsed >= warmUpMs })
      send(stream, oracle, customer).catch((error: unknown) => failed.push(error))
      next += 1
    }
    if (failed.length > 0) throw failed[0]
    if (elapsed >= lastAt && waiting.size === 0) return latencies
    if (elapsed >= lastAt + settledWithinMs)
      throw new WrongAnswers(`${waiting.size} events are not counted after ${settledWithinMs / 1_000} s`)
    for (const answer of waiting.size === 0 ? [] : await ours.ask([...waiting.keys()])) {
      const found = waiting.get(answer.customerId)
      if (found === undefined || (answer.transactionsLastHour ?? 0) === 0) continue
      if (found.counts) latencies.push(performance.now() - found.sentAt)
      waiting.delete(answer.customerId)
    }
    await sleep(pollMs)
  }
}

function findingsOf({ latency }: Bench, latencies: readonly number[], rate: number): readonly Finding[] {
  const sorted = latencies.toSorted((a, b) => a - b)
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
  const only = (value: number) => ({ median: value, lowest: value, highest: value })
  const pace = `at ${Math.round(rate).toLocaleString('en')} events/s${rate < 0.95 * latency.rate ? `, fewer than the ${latency.rate} that were meant` : ''}`
  const shared = { unit: 'ms', digits: 0 }
  return [
    {
      ...shared,
      what: 'from sending to an answer, p99',
      ours: only(at(0.99)),
      goal: { kind: 'BELOW', value: 1_000 },
      remark: `${sorted.length} probes ${pace}; at most ${at(1).toFixed(0)} ms`,
    },
    {
      ...shared,
      what: 'from sending to an answer, p50',
      ours: only(at(0.5)),
      goal: { kind: 'NONE' },
      remark: 'of the same probes',
    },
  ]
}
