import { murmur2 } from '@platformatic/kafka'
import type { EventStream } from '../../src/stores/event-stream.ts'
import type { Oracle } from './oracle.ts'
import { messageOf, partitions, type Transaction } from './world.ts'

const batch = 5_000
/** Customers of the last events of each partition. */
const tailOfPartition = 20

/**
 * Sends transactions, keyed by their customer, and adds them to the oracle. Returns the customers whose events come
 * last, since partitions are read in order: when those are there, so are nearly surely all.
 */
export async function produce(
  stream: EventStream,
  topic: string,
  transactions: Iterable<Transaction>,
  oracle: Oracle,
): Promise<readonly number[]> {
  const tails = new Map<number, number[]>()
  const send = async (some: readonly Transaction[]): Promise<void> => {
    const messages = some.map(messageOf)
    await stream.publish(topic, messages)
    for (const [index, { key }] of messages.entries()) {
      const partition = (murmur2(key) & 0x7fffffff) % partitions
      const tail = tails.get(partition) ?? []
      tails.set(partition, tail)
      tail.push(some[index]?.customer ?? 0)
      if (tail.length > tailOfPartition) tail.shift()
    }
  }
  let waiting: Transaction[] = []
  for (const transaction of transactions) {
    oracle.add(transaction)
    waiting.push(transaction)
    if (waiting.length < batch) continue
    await send(waiting)
    waiting = []
  }
  await send(waiting)
  return [...new Set([...tails.values()].flat())]
}
