import type { EventStream } from '../../src/stores/event-stream.ts'
import type { Oracle } from './oracle.ts'
import { messageOf, type Transaction } from './world.ts'

const batch = 5_000
/** Customers of the last events of each partition. */
const tailOfPartition = 20

/**
 * Sends transactions, keyed by their customer, and tells the oracle of them. Answers the customers whose events come
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
    const places = await stream.publish(topic, some.map(messageOf))
    for (const [index, { partition }] of places.entries()) {
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
