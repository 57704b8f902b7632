import { randomUUID } from 'node:crypto'
import type { Micros } from '../../src/definitions/timestamp.ts'
import { StoreFailed } from '../../src/errors.ts'
import {
  type ConsumeOptions,
  type EventStream,
  partitionName,
  type StreamConsumer,
  type StreamMessage,
  type TopicPartition,
} from '../../src/stores/event-stream.ts'
import { type Signal, signal } from '../../src/stores/kafka/signal.ts'

/** Beside the port, what Kafka's administration does. */
export interface MemoryEventStream extends EventStream {
  readonly createTopic: (name: string, partitions: number) => void
  readonly deleteTopic: (name: string) => void
}

interface Topic {
  readonly id: string
  readonly partitions: readonly StreamMessage[][]
}

interface Member {
  readonly topics: readonly string[]
}

interface Group {
  readonly members: Member[]
  readonly owners: Map<string, Member>
}

/**
 * The event stream in this process: nothing is ever deleted, groups live among its own consumers, and there is no
 * revocation timeout: a member that does not poll holds up the others for good. `now` is when a message is produced.
 */
export function memoryEventStream(now: () => Micros): MemoryEventStream {
  const topics = new Map<string, Topic>()
  const groups = new Map<string, Group>()
  const changed = signal()
  const topicOf = (name: string): Topic => {
    const topic = topics.get(name)
    if (topic === undefined) throw new StoreFailed(`there is no topic "${name}"`)
    return topic
  }
  /** Dealt out in turn to the members that want the topic. */
  const assignedTo = (member: Member, group: Group): readonly TopicPartition[] =>
    member.topics.flatMap((topic) => {
      const takers = group.members.filter((one) => one.topics.includes(topic))
      return (topics.get(topic)?.partitions ?? []).flatMap((_, partition) =>
        takers[partition % takers.length] === member ? [{ topic, partition }] : [],
      )
    })

  return {
    createTopic: (name, partitions) => {
      topics.set(name, { id: randomUUID(), partitions: Array.from({ length: partitions }, () => []) })
      changed.raise()
    },
    deleteTopic: (name) => {
      topicOf(name)
      topics.delete(name)
    },
    describe: async (names) =>
      names.map((name) => {
        const topic = topics.get(name)
        if (topic === undefined) return null
        const partitions = topic.partitions.map(({ length }) => ({ firstOffset: 0, endOffset: length }))
        return { id: topic.id, partitions }
      }),
    publish: async (topic, messages) => {
      if (messages.length === 0) return
      const { partitions } = topicOf(topic)
      const timestamp = Math.floor(now() / 1_000) * 1_000
      for (const { key, value } of messages) {
        const partition = key === null ? 0 : key.reduce((sum, byte) => sum * 31 + byte, 7) % partitions.length
        const log = partitions[partition] ?? []
        log.push({ topic, partition, offset: log.length, key, value, timestamp })
      }
      changed.raise()
    },
    consume: (options) => {
      const fresh: Group = { members: [], owners: new Map() }
      const group = groups.get(options.group) ?? fresh
      groups.set(options.group, group)
      const member = { topics: options.topics }
      group.members.push(member)
      changed.raise()
      return memoryConsumer({ options, member, group, topics, assignedTo, changed })
    },
    ping: async () => {},
    close: async () => {},
  }
}

function memoryConsumer(world: {
  readonly options: ConsumeOptions
  readonly member: Member
  readonly group: Group
  readonly topics: ReadonlyMap<string, Topic>
  readonly assignedTo: (member: Member, group: Group) => readonly TopicPartition[]
  readonly changed: Signal
}): StreamConsumer {
  const { options, member, group, topics } = world
  /** `position` is null until the first `seek`. */
  const owned = new Map<string, TopicPartition & { readonly read: Topic; position: number | null }>()
  let [polling, closing] = [false, false]
  let idle = Promise.resolve()
  let turn = 0

  const giveBack = (one: TopicPartition): void => {
    owned.delete(partitionName(one))
    group.owners.delete(partitionName(one))
  }
  const revoke = async (partitions: readonly TopicPartition[]): Promise<void> => {
    if (partitions.length === 0) return
    try {
      await options.onRevoked(partitions.map(({ topic, partition }) => ({ topic, partition })))
    } finally {
      for (const one of partitions) giveBack(one)
      world.changed.raise()
    }
  }
  const settle = async (): Promise<void> => {
    const mine = new Set(world.assignedTo(member, group).map(partitionName))
    await revoke([...owned.values()].filter((one) => !mine.has(partitionName(one))))
    const fresh = world.assignedTo(member, group).flatMap((one) => {
      const [name, read] = [partitionName(one), topics.get(one.topic)]
      if (read === undefined || group.owners.has(name)) return []
      group.owners.set(name, member)
      const taken = { ...one, read, position: null }
      owned.set(name, taken)
      return [taken]
    })
    if (fresh.length === 0) return
    try {
      await options.onAssigned(
        fresh.map(({ topic, partition, read }) => ({ topic, partition, topicId: read.id })),
      )
    } catch (error) {
      for (const one of fresh) giveBack(one)
      throw error
    }
  }
  const take = (count: number): readonly StreamMessage[] => {
    const taken: StreamMessage[] = []
    const all = [...owned.values()]
    turn += 1
    for (let index = 0; index < all.length; index++) {
      const one = all[(turn + index) % all.length]
      if (one === undefined || one.position === null || topics.get(one.topic) !== one.read) continue
      const log = one.read.partitions[one.partition] ?? []
      const messages = log.slice(one.position, one.position + count - taken.length)
      one.position += messages.length
      taken.push(...messages)
    }
    return taken
  }
  const poll: StreamConsumer['poll'] = async ({ maxMessages, waitMs }) => {
    const until = performance.now() + waitMs
    for (;;) {
      await settle()
      const messages = closing ? [] : take(maxMessages)
      const leftMs = until - performance.now()
      if (messages.length > 0 || closing || leftMs <= 0) return messages
      await world.changed.wait(leftMs)
    }
  }
  const ownedAt = (one: TopicPartition) => {
    const found = owned.get(partitionName(one))
    if (found === undefined)
      throw new StoreFailed(`the partition ${partitionName(one)} is not this consumer's`)
    return found
  }

  return {
    poll: async (pollOptions) => {
      if (polling || closing)
        throw new Error('a consumer is polled once at a time, and not after it was closed')
      polling = true
      const result = poll(pollOptions)
      idle = result.then(
        () => {},
        () => {},
      )
      try {
        return await result
      } finally {
        polling = false
      }
    },
    // Nobody administers these groups.
    commit: () => {},
    seek: (position) => {
      ownedAt(position).position = position.offset
    },
    lag: async () =>
      [...owned.values()].flatMap(({ topic, partition, read, position }) => {
        const end = read.partitions[partition]?.length ?? 0
        if (position === null) return []
        return [{ topic, partition, offset: position, lag: Math.max(0, end - position) }]
      }),
    close: async () => {
      if (closing) return
      closing = true
      world.changed.raise()
      await idle
      try {
        await revoke([...owned.values()])
      } finally {
        group.members.splice(group.members.indexOf(member), 1)
        world.changed.raise()
      }
    },
  }
}
