import { fetchV13 } from '@platformatic/kafka'
import { StoreFailed } from '../../errors.ts'
import type { Channel } from './cluster.ts'
import { readCommitted } from './list-offsets.ts'
import { answerIn, protocolError } from './protocol-error.ts'

interface FetchedFrom {
  readonly topicId: string
  readonly partition: number
  /** The offset to read from. */
  readonly next: number
}

/** A batch of messages that is larger comes whole all the same. */
const partitionBytes = 1_048_576
const requestBytes = 2_097_152
/** No fetch session: the broker would store one for each request. */
const [noSession, noEpoch] = [0, -1]

/** One request to the leader of the partitions, which answers at once where it has messages, else after `waitMs`. */
export async function fetchPartitions<Partition extends FetchedFrom>(
  channel: Channel,
  leader: number,
  partitions: readonly Partition[],
  waitMs: number,
): Promise<readonly (readonly [Partition, fetchV13.FetchResponsePartition])[]> {
  const topics = partitions.map(({ topicId, partition, next }) => {
    const epochs = { currentLeaderEpoch: -1, lastFetchedEpoch: -1 }
    const asked = { partition, ...epochs, fetchOffset: BigInt(next), partitionMaxBytes: partitionBytes }
    return { topicId, partitions: [asked] }
  })
  const limits = [waitMs, 1, requestBytes, readCommitted, noSession, noEpoch] as const
  // Not in the newest version: its answers hold tagged fields when a leader has moved, which the library misreads.
  const answer = await answerIn(channel.request(leader, fetchV13.api, ...limits, topics, [], ''))
  if (answer.errorCode !== 0) throw new StoreFailed(protocolError(answer.errorCode))
  return answer.responses.flatMap(({ topicId, partitions: fetched }) =>
    fetched.flatMap((one) => {
      const asked = partitions.find(
        ({ topicId: id, partition }) => id === topicId && partition === one.partitionIndex,
      )
      return asked === undefined ? [] : [[asked, one] as const]
    }),
  )
}
