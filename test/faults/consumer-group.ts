import { Admin } from '@platformatic/kafka'

export interface ConsumerGroup {
  /** True: the group has committed the end of every partition. */
  readonly isAtEnd: (ends: readonly number[]) => Promise<boolean>
  /** Nobody of the group may run. */
  readonly rewind: (partitions: number) => Promise<void>
}

/** A group's offsets in one topic, as an operator sees and sets them. `bootstrap` may name several brokers. */
export function consumerGroup(bootstrap: string, groupId: string, topic: string): ConsumerGroup {
  const withAdmin = async <Result>(work: (admin: Admin) => Promise<Result>): Promise<Result> => {
    const admin = new Admin({ clientId: 'featuregraph-tests', bootstrapBrokers: bootstrap.split(',') })
    try {
      return await work(admin)
    } finally {
      await admin.close()
    }
  }
  return {
    isAtEnd: async (ends) => {
      const [group] = await withAdmin((admin) => admin.listConsumerGroupOffsets({ groups: [groupId] }))
      const committed = new Map(
        group?.topics
          .filter(({ name }) => name === topic)
          .flatMap(({ partitions }) =>
            partitions.map((one) => [one.partitionIndex, Number(one.committedOffset)]),
          ),
      )
      return ends.every((end, partition) => end === 0 || committed.get(partition) === end)
    },
    rewind: async (partitions) => {
      const partitionOffsets = Array.from({ length: partitions }, (_, partition) => ({
        partition,
        offset: 0n,
      }))
      await withAdmin((admin) =>
        admin.alterConsumerGroupOffsets({ groupId, topics: [{ name: topic, partitionOffsets }] }),
      )
    },
  }
}
