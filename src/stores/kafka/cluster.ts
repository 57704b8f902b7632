import { type Broker, findCoordinatorV4, metadataV10 } from '@platformatic/kafka'
import { StoreFailed } from '../../errors.ts'
import { type Connections, openConnections, type Send } from './connections.ts'
import type { KafkaAddress } from './kafka-url.ts'
import { answerIn, protocolError, protocolErrorsIn } from './protocol-error.ts'

interface TopicLeaders {
  readonly id: string
  /** Node of each partition's leader, by partition; −1 while there is none. */
  readonly leaders: readonly number[]
}

export interface Channel extends Connections {
  /** Sends to the node that coordinates the group, which is asked for again after a failure. */
  readonly requestCoordinator: Send<string>
}

export interface Cluster extends Channel {
  /** Asks the brokers unless the answer for all of them is younger than `maxAgeMs`; null: no such topic. */
  readonly topics: (
    names: readonly string[],
    maxAgeMs: number,
  ) => Promise<ReadonlyMap<string, TopicLeaders | null>>
  /** Separate connections to the same brokers, for requests that wait long: others would queue behind them. */
  readonly beside: (requestTimeoutMs: number) => Channel
  readonly ping: () => Promise<void>
}

const unknownTopic = 'UNKNOWN_TOPIC_OR_PARTITION'

/** What the brokers say of themselves, and connections to them. */
export function connectCluster(address: KafkaAddress, requestTimeoutMs: number): Cluster {
  const nodes = new Map<number, Broker>()
  const cache = new Map<string, { readonly at: number; readonly topic: TopicLeaders | null }>()
  const connections = openConnections(address, nodes, requestTimeoutMs)
  let coordinator: number | null = null

  const findCoordinator = async (group: string): Promise<number> => {
    const [found] = (await connections.request('any', findCoordinatorV4.api, 0, [group])).coordinators
    if (found === undefined) throw new StoreFailed(`Kafka knows no coordinator of the group "${group}"`)
    nodes.set(found.nodeId, { host: found.host, port: found.port })
    return found.nodeId
  }
  const channelOver = (over: Connections): Channel => ({
    ...over,
    requestCoordinator: async (group, api, ...rest) => {
      try {
        coordinator ??= await findCoordinator(group)
        return await over.request(coordinator, api, ...rest)
      } catch (error) {
        const names = [...protocolErrorsIn(error)]
        if (names.every((name) => name.includes('COORDINATOR'))) coordinator = null
        throw error
      }
    },
  })

  const refresh = async (names: readonly string[]): Promise<void> => {
    const answer = await answerIn(connections.request('any', metadataV10.api, [...names], false, false))
    for (const { nodeId, host, port } of answer.brokers) nodes.set(nodeId, { host, port })
    for (const topic of answer.topics) {
      const error = topic.errorCode === 0 ? null : protocolError(topic.errorCode)
      if (error !== null && error !== unknownTopic)
        throw new StoreFailed(`Kafka topic "${topic.name}": ${error}`)
      const leaders: number[] = []
      for (const { partitionIndex, errorCode, leaderId } of topic.partitions)
        leaders[partitionIndex] = errorCode === 0 ? leaderId : -1
      const found = error === null ? { id: topic.topicId, leaders } : null
      cache.set(topic.name ?? '', { at: performance.now(), topic: found })
    }
  }

  return {
    ...channelOver(connections),
    topics: async (names, maxAgeMs) => {
      const oldest = performance.now() - maxAgeMs
      const stale = names.filter((name) => (cache.get(name)?.at ?? -Infinity) <= oldest)
      if (stale.length > 0) await refresh(names)
      return new Map(names.map((name) => [name, cache.get(name)?.topic ?? null]))
    },
    beside: (timeoutMs) => channelOver(openConnections(address, nodes, timeoutMs)),
    ping: async () => await refresh([]),
  }
}
