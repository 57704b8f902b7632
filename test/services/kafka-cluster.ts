import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type API,
  alterPartitionReassignmentsV0,
  ConnectionPool,
  FindCoordinatorKeyTypes,
  findCoordinatorV4,
} from '@platformatic/kafka'
import { canRunKafka } from './kafka.ts'
import { brokerPorts, prepareBroker, untilKnown, withAdmin } from './kafka-broker.ts'

/** Three brokers, numbered from 1: what is written by acks=all is on two of them at least. */
export interface KafkaCluster {
  /** The `host:port` of each broker, with commas between. */
  readonly bootstrap: string
  /** Each partition on these brokers, the first of which leads it. Resolves when it can be used. */
  readonly createTopic: (name: string, replicas: readonly (readonly number[])[]) => Promise<void>
  /** The brokers that lead the partitions. */
  readonly leadersOf: (topic: string) => Promise<readonly number[]>
  readonly coordinatorOf: (group: string) => Promise<number>
  /** Moves a partition to other brokers; resolves when one of them leads it. */
  readonly reassign: (topic: string, partition: number, replicas: readonly number[]) => Promise<void>
  /** SIGKILL. */
  readonly kill: (broker: number) => Promise<void>
  readonly stop: () => Promise<void>
}

const settings = [
  'default.replication.factor=3',
  'min.insync.replicas=2',
  'offsets.topic.replication.factor=3',
  'transaction.state.log.replication.factor=3',
  'transaction.state.log.min.isr=2',
]

/** Null where no broker can be had: see `kafkaOrSkip`. */
export async function kafkaClusterOrSkip(): Promise<KafkaCluster | null> {
  return (await canRunKafka()) ? await startCluster() : null
}

async function startCluster(): Promise<KafkaCluster> {
  const home = await mkdtemp(join(tmpdir(), 'featuregraph-kafka-cluster-'))
  const ids = [1, 2, 3]
  const ports = [await brokerPorts(), await brokerPorts(), await brokerPorts()]
  const addresses = ports.map(({ plain }) => ({ host: '127.0.0.1', port: plain }))
  const bootstrap = addresses.map(({ host, port }) => `${host}:${port}`).join(',')
  const voters = ports.map(({ controller }, index) => `${index + 1}@127.0.0.1:${controller}`).join(',')
  const clusterId = randomBytes(16).toString('base64url')
  const brokers = await Promise.all(
    ports.map((own, index) => {
      const where = { id: index + 1, home: join(home, String(index + 1)), ports: own, voters }
      return prepareBroker({ ...where, user: null, more: settings }, clusterId)
    }),
  )
  const brokerOf = (id: number) => {
    const broker = brokers[id - 1]
    if (broker === undefined) throw new Error(`there are only the brokers ${ids.join(', ')}`)
    return broker
  }
  const stop = async (): Promise<void> => {
    await Promise.all(brokers.map(({ kill }) => kill()))
    await rm(home, { recursive: true, force: true })
  }
  try {
    await Promise.all(brokers.map(({ start }) => start()))
  } catch (error) {
    await stop()
    throw error
  }

  const request = async <Arguments extends unknown[], Answer>(
    api: API<Arguments, Answer>,
    ...rest: Arguments
  ): Promise<Answer> => {
    const pool = new ConnectionPool('featuregraph-tests')
    pool.on('connecting', ({ connection }) => connection.on('error', () => {}))
    try {
      return await api.async(await pool.getFirstAvailable(addresses), ...rest)
    } finally {
      await pool.close()
    }
  }
  const leadersOf = async (topic: string): Promise<readonly number[]> =>
    await withAdmin(bootstrap, async (admin) => {
      const { topics } = await admin.metadata({ topics: [topic], forceUpdate: true })
      return topics.get(topic)?.partitions.map(({ leader }) => leader) ?? []
    })
  return {
    bootstrap,
    createTopic: async (name, replicas) => {
      const assignments = replicas.map((ids, partition) => ({ partition, brokers: [...ids] }))
      await withAdmin(bootstrap, async (admin) => {
        await admin.createTopics({ topics: [name], partitions: -1, replicas: -1, assignments })
      })
      // Each broker learns of it by itself.
      for (const one of bootstrap.split(','))
        await withAdmin(one, async (admin) => await untilKnown(admin, name, replicas.length))
    },
    leadersOf,
    coordinatorOf: async (group) => {
      for (;;) {
        const found = await request(findCoordinatorV4.api, FindCoordinatorKeyTypes.GROUP, [group]).catch(
          () => null,
        )
        const [coordinator] = found?.coordinators ?? []
        if (coordinator !== undefined) return coordinator.nodeId
        await sleep(50)
      }
    },
    reassign: async (topic, partition, replicas) => {
      const partitions = [{ partitionIndex: partition, replicas: [...replicas] }]
      await request(alterPartitionReassignmentsV0.api, 10_000, true, [{ name: topic, partitions }])
      while (!replicas.includes((await leadersOf(topic))[partition] ?? -1)) await sleep(20)
    },
    kill: async (id) => await brokerOf(id).kill(),
    stop,
  }
}
