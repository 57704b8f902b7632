import { setTimeout as sleep } from 'node:timers/promises'
import { type MessageToProduce, MultipleErrors, Producer } from '@platformatic/kafka'
import { connectTimeoutMs, ignoreErrorEvents, loginOf } from './connections.ts'
import type { KafkaAddress } from './kafka-url.ts'
import { isPassing, storeFailed } from './protocol-error.ts'

type OutgoingRecord = MessageToProduce<Buffer, Buffer, Buffer, Buffer> & {
  readonly partition: number
  readonly value: Buffer
}

type ByteProducer = Producer<Buffer, Buffer, Buffer, Buffer>

/** Writes to one topic by the library's idempotent `Producer`; one call after the other. */
export interface TopicWriter {
  /** Resolves once all in-sync replicas have the records, else rejects with `StoreFailed`; the producer is replaced then. */
  readonly write: (records: readonly OutgoingRecord[]) => Promise<void>
  /** Waits for what is being written. */
  readonly close: () => Promise<void>
}

/** Longer than a broker that dies is still taken for alive (`broker.session.timeout.ms`, 9 s as it comes). */
const retryForMs = 12_000
/** While the topic takes nothing: many calls, one after the other, must not wait for long. */
const retryAfterFailureMs = 2_000
const retryMs = 100
const brokerTimeoutMs = 10_000
/** Well below the megabyte that a broker takes by default; a message that is larger goes alone. */
const requestBytes = 524_288

/**
 * `checkTopic` rejects when no broker answers and when the topic does not exist: then nothing is tried again.
 * The library numbers batches by what was acknowledged before. Two sends at once, or another batch after one whose
 * answer is missing, would have the number of the first: the broker would drop the second and acknowledge it. Hence one
 * send at a time, the same batches when one is repeated, and another producer after a failure.
 * One producer for each topic: the library forgets brokers that leaders it remembers of another topic still name.
 */
export function topicWriter(
  address: KafkaAddress,
  topic: string,
  checkTopic: () => Promise<void>,
): TopicWriter {
  let producer: ByteProducer | null = null
  let opened = 0
  let hasFailed = false
  let last: Promise<void> = Promise.resolve()

  const open = () => {
    // Another broker first than the last time, which may have been one that does not answer.
    const first = opened % address.brokers.length
    opened += 1
    const created: ByteProducer = new Producer({
      clientId: 'featuregraph',
      bootstrapBrokers: [...address.brokers.slice(first), ...address.brokers.slice(0, first)],
      ...loginOf(address),
      ...{
        connectTimeout: connectTimeoutMs,
        timeout: brokerTimeoutMs,
        requestTimeout: 1.5 * brokerTimeoutMs,
      },
      // It would try again only where it tried before, and send what several brokers lead to one of them.
      ...{ idempotent: true, retries: false, repeatOnStaleMetadata: false },
    })
    ignoreErrorEvents(created.connections)
    return created
  }
  const writeChunk = async (
    own: ByteProducer,
    chunk: readonly OutgoingRecord[],
    until: number,
  ): Promise<void> => {
    for (let left = chunk; ; ) {
      try {
        await own.send({ messages: [...left] })
        return
      } catch (error) {
        const written = partitionsWritten(error)
        left = left.filter(({ partition }) => !written.has(partition))
        await checkTopic()
        if (!isPassing(error) || performance.now() > until) throw error
        // Leaders are asked for again.
        own.clearMetadata()
      }
      await sleep(retryMs)
    }
  }
  const write = async (records: readonly OutgoingRecord[]): Promise<void> => {
    const until = performance.now() + (hasFailed ? retryAfterFailureMs : retryForMs)
    producer ??= open()
    try {
      for (const chunk of chunks(records)) await writeChunk(producer, chunk, until)
      hasFailed = false
    } catch (error) {
      hasFailed = true
      // A connection whose broker does not answer may take long to close.
      void discard()
      throw storeFailed(`Kafka topic "${topic}" did not take all messages`, error)
    }
  }
  const discard = async (): Promise<void> => {
    const closed = producer
    producer = null
    await closed?.close().catch(() => {})
  }

  return {
    write: async (records) => {
      const written = last.then(() => write(records))
      last = written.catch(() => {})
      await written
    },
    close: async () => {
      await last
      await discard()
    },
  }
}

/** The partitions that a send wrote before it failed; those of a broker that refused one of its partitions are not among them. */
function partitionsWritten(error: unknown): ReadonlySet<number> {
  const produced: unknown = error instanceof MultipleErrors ? error['produced'] : undefined
  const offsets =
    typeof produced === 'object' && produced !== null && 'offsets' in produced && produced.offsets
  if (!Array.isArray(offsets)) return new Set()
  return new Set(offsets.map(({ partition }) => Number(partition)))
}

function* chunks(records: readonly OutgoingRecord[]): Generator<readonly OutgoingRecord[]> {
  let [chunk, bytes]: [OutgoingRecord[], number] = [[], 0]
  for (const record of records) {
    const size = record.value.length + (record.key?.length ?? 0) + 64
    if (chunk.length > 0 && bytes + size > requestBytes) {
      yield chunk
      ;[chunk, bytes] = [[], 0]
    }
    chunk.push(record)
    bytes += size
  }
  yield chunk
}
