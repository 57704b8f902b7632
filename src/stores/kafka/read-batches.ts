import type { fetchV13 } from '@platformatic/kafka'
import type { StreamMessage, TopicPartition } from '../event-stream.ts'

const logAppendTime = 1 << 3
const isTransactional = 1 << 4
const isControl = 1 << 5
const abortMarker = 0

/**
 * The messages of a fetched partition from offset `from` on, without those of aborted transactions, and the offset after
 * the last one looked at (also of those left out; `from` where nothing came): a broker answers whole batches, which may
 * begin before what was asked for. The rule for aborted ones is that of Kafka's own consumer: the broker lists
 * the transactions that end in an abort with their first offset, and the abort's marker closes each.
 */
export function readBatches(
  { topic, partition }: TopicPartition,
  fetched: Pick<fetchV13.FetchResponsePartition, 'records' | 'abortedTransactions'>,
  from: number,
): { readonly messages: readonly StreamMessage[]; readonly next: number } {
  const messages: StreamMessage[] = []
  let next = from
  const aborted = fetched.abortedTransactions.toSorted((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1))
  let nextAborted = 0
  const aborting = new Set<bigint>()
  for (const batch of fetched.records ?? []) {
    const first = Number(batch.firstOffset)
    const last = first + batch.lastOffsetDelta
    for (; nextAborted < aborted.length; nextAborted++) {
      const one = aborted[nextAborted]
      if (one === undefined || Number(one.firstOffset) > last) break
      aborting.add(one.producerId)
    }
    next = Math.max(next, last + 1)
    if ((batch.attributes & isControl) !== 0) {
      if (batch.records[0]?.key?.readInt16BE(2) === abortMarker) aborting.delete(batch.producerId)
      continue
    }
    if ((batch.attributes & isTransactional) !== 0 && aborting.has(batch.producerId)) continue
    const byBroker = (batch.attributes & logAppendTime) !== 0
    const baseMs = Number(byBroker ? batch.maxTimestamp : batch.firstTimestamp)
    for (const record of batch.records) {
      const offset = first + record.offsetDelta
      if (offset < from) continue
      const timestamp = (byBroker ? baseMs : baseMs + Number(record.timestampDelta)) * 1_000
      messages.push({
        topic,
        partition,
        offset,
        key: record.key,
        value: record.value ?? Buffer.alloc(0),
        timestamp,
      })
    }
  }
  return { messages, next }
}
