import { setTimeout as sleep } from 'node:timers/promises'
import { type MessageRecord, murmur2, produceV7, produceV8, produceV9 } from '@platformatic/kafka'
import { StoreFailed } from '../../errors.ts'
import type { EventStream, StreamPosition } from '../event-stream.ts'
import type { Cluster } from './cluster.ts'
import { answerIn, protocolError, storeFailed } from './protocol-error.ts'

/** No newer ones: their answers hold tagged fields when a leader has moved, which the client cannot read. */
const versions = [produceV9.api, produceV8.api, produceV7.api]
const allInSync = -1
const brokerTimeoutMs = 10_000
/** Well below the megabyte that a broker takes by default; a message that is larger goes alone. */
const requestBytes = 524_288
const attempts = 6
const metadataMs = 30_000
/** Nothing was written: these may be sent again without coming twice. */
const notWritten = new Set([
  ...['NOT_LEADER_OR_FOLLOWER', 'LEADER_NOT_AVAILABLE', 'UNKNOWN_TOPIC_OR_PARTITION', 'NOT_ENOUGH_REPLICAS'],
  ...['FENCED_LEADER_EPOCH', 'KAFKA_STORAGE_ERROR'],
])

interface Pending {
  /** Among the messages to publish. */
  readonly index: number
  readonly record: MessageRecord & { readonly partition: number }
}

/** The partition of a key is murmur2 of it, as with Kafka's own producer; messages without one share a partition a call. */
export function kafkaPublish(cluster: Cluster): EventStream['publish'] {
  let turn = 0
  return async (topic, messages) => {
    if (messages.length === 0) return []
    const places = new Map<number, StreamPosition>()
    let reason = ''
    let waiting: readonly Pending[] | null = null
    for (let attempt = 0; attempt < attempts; attempt++) {
      if (attempt > 0) await sleep(50 * 2 ** attempt)
      const { leaders } = await leadersOf(cluster, topic, attempt === 0 ? metadataMs : 0)
      if (waiting === null) {
        turn += 1
        waiting = messages.map(({ key, value, headers = {} }, index): Pending => {
          const partition = (key === null ? turn : murmur2(key) & 0x7fffffff) % leaders.length
          const told = Object.entries(headers).map(
            ([name, text]) => [Buffer.from(name), Buffer.from(text)] as const,
          )
          const record = { topic, partition, value, headers: new Map(told) }
          return { index, record: key === null ? record : { ...record, key } }
        })
      }
      const byLeader = new Map<number, Pending[]>()
      for (const one of waiting) {
        const leader = leaders[one.record.partition] ?? -1
        const ones = byLeader.get(leader)
        if (ones === undefined) byLeader.set(leader, [one])
        else ones.push(one)
      }
      const left = await Promise.all(
        [...byLeader].map(async ([leader, ones]) => {
          if (leader < 0) return { left: ones, reason: 'LEADER_NOT_AVAILABLE' }
          return await produce(cluster, leader, ones, places)
        }),
      )
      waiting = left.flatMap((one) => one.left)
      reason = left.find((one) => one.reason !== '')?.reason ?? reason
      if (waiting.length === 0) return messages.map((_, index) => placeOf(places, index))
    }
    throw new StoreFailed(`Kafka topic "${topic}" did not take all messages: ${reason}`)
  }
}

async function leadersOf(cluster: Cluster, topic: string, maxAgeMs: number) {
  try {
    // One that was not there a while ago may have been made since.
    for (const ageMs of [maxAgeMs, 0]) {
      const found = (await cluster.topics([topic], ageMs)).get(topic) ?? null
      if (found !== null && found.leaders.length > 0) return found
    }
  } catch (error) {
    throw storeFailed(`Kafka did not tell of the topic "${topic}"`, error)
  }
  throw new StoreFailed(`there is no Kafka topic "${topic}"`)
}

function placeOf(places: ReadonlyMap<number, StreamPosition>, index: number): StreamPosition {
  const place = places.get(index)
  if (place === undefined) throw new StoreFailed('Kafka did not tell the place of a message that it took')
  return place
}

/** One request after the other; once one of a partition was refused, its later ones are left too. */
async function produce(
  cluster: Cluster,
  leader: number,
  all: readonly Pending[],
  places: Map<number, StreamPosition>,
): Promise<{ readonly left: readonly Pending[]; readonly reason: string }> {
  const blocked = new Set<number>()
  const left: Pending[] = []
  let reason = ''
  for (const chunk of chunks(all)) {
    left.push(...chunk.filter(({ record }) => blocked.has(record.partition)))
    const ones = chunk.filter(({ record }) => !blocked.has(record.partition))
    if (ones.length === 0) continue
    for (const { partition, baseOffset, error } of await send(cluster, leader, ones)) {
      const mine = ones.filter(({ record }) => record.partition === partition)
      if (error === null) {
        for (const [nth, { index, record }] of mine.entries())
          places.set(index, { topic: record.topic, partition, offset: baseOffset + nth })
        continue
      }
      if (!notWritten.has(error)) throw new StoreFailed(`Kafka did not take a message: ${error}`)
      blocked.add(partition)
      left.push(...mine)
      reason = error
    }
  }
  return { left, reason }
}

async function send(cluster: Cluster, leader: number, ones: readonly Pending[]) {
  try {
    const records = ones.map(({ record }) => ({ ...record }))
    const answer = await answerIn(
      cluster.request(leader, versions, allInSync, brokerTimeoutMs, records, undefined),
    )
    if (typeof answer === 'boolean') throw new StoreFailed('an answer was asked for and none came')
    return answer.responses.flatMap(({ partitionResponses }) =>
      partitionResponses.map(({ index, baseOffset, errorCode }) => ({
        partition: index,
        baseOffset: Number(baseOffset),
        error: errorCode === 0 ? null : protocolError(errorCode),
      })),
    )
  } catch (error) {
    throw storeFailed('Kafka did not take messages', error)
  }
}

function* chunks(all: readonly Pending[]): Generator<readonly Pending[]> {
  let [chunk, bytes]: [Pending[], number] = [[], 0]
  for (const one of all) {
    const size = one.record.value.length + (one.record.key?.length ?? 0) + 64
    if (chunk.length > 0 && bytes + size > requestBytes) {
      yield chunk
      ;[chunk, bytes] = [[], 0]
    }
    chunk.push(one)
    bytes += size
  }
  yield chunk
}
