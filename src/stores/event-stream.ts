import type { Micros } from '../definitions/timestamp.ts'
import type { StoreFailed } from '../errors.ts'

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** A position in a partition: the next offset to read. */
export interface StreamPosition extends TopicPartition {
  readonly offset: number
}

/** A partition that has been assigned to this consumer. */
export interface AssignedPartition extends TopicPartition {
  /** Of the topic whose messages are read: another one created later under the same name is not. */
  readonly topicId: string
}

export interface StreamMessage extends StreamPosition {
  readonly key: Buffer | null
  /** Empty where the message has none. */
  readonly value: Buffer
  /** By the producer's clock, or the broker's where the topic is set so: never to be trusted, and whole milliseconds. */
  readonly timestamp: Micros
}

interface OutgoingMessage {
  readonly key: Buffer | null
  readonly value: Buffer
  /** For other readers: messages are polled here without them. */
  readonly headers?: Readonly<Record<string, string>>
}

interface TopicDescription {
  /** Another for a topic that was deleted and created again under the same name. */
  readonly id: string
  /** By number, without gaps. `endOffset` is that of the next message; in an open transaction, of its first. */
  readonly partitions: readonly { readonly firstOffset: number; readonly endOffset: number }[]
}

export interface ConsumeOptions {
  readonly group: string
  /** One that does not exist is waited for. */
  readonly topics: readonly string[]
  /**
   * Partitions are ours from here on. Each is read from the position that `seek` gives it, now or later, and not before.
   * Called again after it has rejected.
   */
  readonly onAssigned: (partitions: readonly AssignedPartition[]) => Promise<void>
  /**
   * Partitions are about to be given up: the last chance to flush and commit. No other member gets them before this has
   * settled, unless the session or the revocation timeout has passed: `onError` reports that, commits are ignored then.
   * When it rejects they are given up all the same.
   */
  readonly onRevoked: (partitions: readonly TopicPartition[]) => Promise<void>
  /** Trouble that passes without the caller: reported at most once in five seconds per reason, without secrets. */
  readonly onError: (error: StoreFailed) => void
}

/**
 * One member of a group. Where a partition is read from is the caller's to store: what the group commits is only for
 * operators. The callbacks of `consume` run within `poll` and `close`, never beside them, so that no batch is half done
 * when partitions come or go (as in Kafka's own consumer); a member that does not poll holds up the others, until the
 * revocation timeout. Retained partitions are read on during a rebalance: only those that move are revoked.
 */
export interface StreamConsumer {
  /**
   * At most `maxMessages`, in offset order within a partition, none of them twice unless `seek` goes back; empty after
   * `waitMs` without any. While the stream is away it is simply empty. A few megabytes at most are fetched ahead. Rejects
   * with what a callback threw; one call at a time.
   */
  readonly poll: (options: {
    readonly maxMessages: number
    readonly waitMs: number
  }) => Promise<readonly StreamMessage[]>
  /**
   * How far the group is, for operators: sent with the next `poll`, and again with later ones until it is acknowledged.
   * Partitions that are not ours are left out.
   */
  readonly commit: (positions: readonly StreamPosition[]) => void
  /** The next `poll` goes on from there. Throws `StoreFailed` when the partition is not ours. */
  readonly seek: (position: StreamPosition) => void
  /**
   * Of each partition that is read the position of `poll`, and how many offsets lie from there to the partition's end. All
   * messages below the position were returned by `poll`: it also passes what is never returned, as a transaction's marker
   * behind the last message, once that was fetched. One round trip.
   */
  readonly lag: () => Promise<readonly (StreamPosition & { readonly lag: number })[]>
  /** Revokes everything and leaves the group, so that others need not wait for a timeout. A `poll` in flight ends first. */
  readonly close: () => Promise<void>
}

/**
 * Ordered, partitioned messages, stored for a while and read by groups of consumers, each partition by one member.
 * Messages of aborted transactions are left out, so offsets may have gaps. Deliberately absent: creating topics, reading
 * headers, transactions of our own.
 */
export interface EventStream {
  /** One entry per topic, in order; null: there is no such topic. */
  readonly describe: (topics: readonly string[]) => Promise<readonly (TopicDescription | null)[]>
  /**
   * Resolves once all in-sync replicas have the messages. Those of one key go to one partition, in order; those without a
   * key to any. Calls for one topic run one after the other. Rejects with `StoreFailed` when not all were acknowledged:
   * then some may be stored all the same, but none after a gap in its partition.
   */
  readonly publish: (topic: string, messages: readonly OutgoingMessage[]) => Promise<void>
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
