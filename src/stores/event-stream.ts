import type { Micros } from '../definitions/timestamp.ts'
import type { StoreFailed } from '../errors.ts'

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** A place in a partition: the next offset to read. */
export interface StreamPosition extends TopicPartition {
  readonly offset: number
}

/** A partition that has been given to this consumer. */
export interface AssignedPartition extends StreamPosition {
  /** Of the topic whose messages are read: another one made later under the same name is not. */
  readonly topicId: string
}

export interface StreamMessage extends StreamPosition {
  readonly key: Buffer | null
  /** Empty where the message has none. */
  readonly value: Buffer
  /** By the producer's clock, or the broker's where the topic says so: never to be trusted, and whole milliseconds. */
  readonly timestamp: Micros
}

interface OutgoingMessage {
  readonly key: Buffer | null
  readonly value: Buffer
  /** For other readers: what is polled here comes without them. */
  readonly headers?: Readonly<Record<string, string>>
}

interface TopicDescription {
  /** Another for a topic that was deleted and made anew under the same name. */
  readonly id: string
  /** By number, without gaps. `endOffset` is that of the next message; in an open transaction, of its first. */
  readonly partitions: readonly { readonly firstOffset: number; readonly endOffset: number }[]
}

export interface ConsumeOptions {
  readonly group: string
  /** One that does not exist is waited for. */
  readonly topics: readonly string[]
  /**
   * Partitions are ours from here on, and stand where the group has committed, else at their first message; `seek` may
   * move them. No message of them comes before this has resolved. Told again after it has rejected.
   */
  readonly onAssigned: (partitions: readonly AssignedPartition[]) => Promise<void>
  /**
   * Partitions are about to be given up: the last chance to flush and commit. Nobody else gets them before this has
   * settled, unless it takes longer than the revocation timeout (then `onLost` follows, and commits in it fail). When it
   * rejects they are given up all the same: the next owner goes on from the last commit.
   */
  readonly onRevoked: (partitions: readonly TopicPartition[]) => Promise<void>
  /** Partitions are gone without notice and may be another's already: forget all about them, commit nothing. */
  readonly onLost: (partitions: readonly TopicPartition[]) => void
  /** Trouble that the consumer goes on after by itself: told at most once in five seconds per reason, without secrets. */
  readonly onError: (error: StoreFailed) => void
}

/**
 * One member of a group. The callbacks of `consume` run within `poll` and `close`, never beside them, so that no batch
 * is half done when partitions come or go (as in Kafka's own consumer); who does not poll holds up the others, until
 * the revocation timeout. Retained partitions are read on during a rebalance: only those that move are revoked.
 */
export interface StreamConsumer {
  /**
   * At most `maxMessages`, in offset order within a partition, none of them twice unless `seek` goes back or partitions
   * come anew; empty after `waitMs` without any. While the stream is away it is simply empty. A few megabytes at most are
   * fetched ahead. Rejects with what a callback threw; one call at a time.
   */
  readonly poll: (options: {
    readonly maxMessages: number
    readonly waitMs: number
  }) => Promise<readonly StreamMessage[]>
  /**
   * Where the group goes on after us. Rejects with `StoreFailed` when one is not ours (nothing is committed then), or
   * when it is not acknowledged within ten seconds (some may be committed then).
   */
  readonly commit: (positions: readonly StreamPosition[]) => Promise<void>
  /** The next `poll` goes on from there. Throws `StoreFailed` when the partition is not ours. */
  readonly seek: (position: StreamPosition) => void
  /** End offset − position of each partition that is ours; the position is that of `poll`. One round trip. */
  readonly lag: () => Promise<readonly (TopicPartition & { readonly lag: number })[]>
  /** Revokes everything and leaves the group, so that others need not wait for a timeout. A `poll` in flight ends first. */
  readonly close: () => Promise<void>
}

/**
 * Ordered, partitioned messages, kept for a while and read by groups of consumers. Delivery is at least once: after a
 * crash the next owner goes on from the last commit. Messages of aborted transactions are left out, so offsets may have
 * gaps. Deliberately absent: making topics, reading headers, transactions of our own.
 */
export interface EventStream {
  /** One entry per topic, in order; null: there is no such topic. */
  readonly describe: (topics: readonly string[]) => Promise<readonly (TopicDescription | null)[]>
  /**
   * Resolves once all in-sync replicas have the messages, with the place of each, in order. Those of one key go to one
   * partition, in order; those without a key to any. Rejects with `StoreFailed`: then some of them may be kept all the
   * same, but none after a gap in its partition.
   */
  readonly publish: (
    topic: string,
    messages: readonly OutgoingMessage[],
  ) => Promise<readonly StreamPosition[]>
  /** Joins the group in the background. */
  readonly consume: (options: ConsumeOptions) => StreamConsumer
  readonly ping: () => Promise<void>
  /** Closes the stream; consumers must have been closed before. */
  readonly close: () => Promise<void>
}

/** A partition's name, to key maps by; no topic's name holds a slash. */
export function partitionName({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}

/** Behind the last message of each partition. */
export function positionsBehind(messages: readonly StreamMessage[]): readonly StreamPosition[] {
  const ends = new Map<string, Map<number, number>>()
  for (const { topic, partition, offset } of messages) {
    const own = ends.get(topic) ?? new Map<number, number>()
    own.set(partition, offset + 1)
    if (own.size === 1) ends.set(topic, own)
  }
  return [...ends].flatMap(([topic, own]) =>
    [...own].map(([partition, offset]) => ({ topic, partition, offset })),
  )
}
