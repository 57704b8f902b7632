import {
  type API,
  apiVersionsV3,
  type Broker,
  type Connection,
  ConnectionPool,
  findCoordinatorV4,
  findCoordinatorV5,
  findCoordinatorV6,
  metadataV10,
  metadataV11,
  metadataV12,
} from '@platformatic/kafka'
import { StoreFailed } from '../../errors.ts'
import type { KafkaAddress } from './kafka-url.ts'
import { answerIn, isTimeout, protocolError, reasonOf } from './protocol-error.ts'

interface TopicLeaders {
  readonly id: string
  /** Node of each partition's leader, by partition; −1 while there is none. */
  readonly leaders: readonly number[]
}

/** Connections to the brokers, made when needed and made anew when broken; one request after the other on each. */
export interface Cluster {
  /** Sends to one node (a number) or to whichever answers, in the newest version that both sides know. */
  readonly request: <Arguments extends unknown[], Answer>(
    to: number | 'any',
    versions: readonly API<Arguments, Answer>[],
    ...rest: Arguments
  ) => Promise<Answer>
  /** Asks anew unless the answer for all of them is younger than `maxAgeMs`; null: no such topic. */
  readonly topics: (
    names: readonly string[],
    maxAgeMs: number,
  ) => Promise<ReadonlyMap<string, TopicLeaders | null>>
  /** The node that looks after the group; asked once, until `forgetCoordinator`. */
  readonly coordinator: (group: string) => Promise<number>
  readonly forgetCoordinator: () => void
  /** Connections of their own to the same brokers, for requests that wait long: others would queue behind them. */
  readonly beside: (requestTimeoutMs: number) => Pick<Cluster, 'request' | 'close'>
  readonly ping: () => Promise<void>
  readonly close: () => Promise<void>
}

const metadataVersions = [metadataV12.api, metadataV11.api, metadataV10.api]
const coordinatorVersions = [findCoordinatorV6.api, findCoordinatorV5.api, findCoordinatorV4.api]
const unknownTopic = 'UNKNOWN_TOPIC_OR_PARTITION'
const connectTimeoutMs = 3_000

type VersionRanges = ReadonlyMap<number, { readonly minVersion: number; readonly maxVersion: number }>

/**
 * Rejections are `StoreFailed` when nobody could be reached, else the client's own: see `protocolError`.
 * A request that is not answered within its time breaks its connection, since the client loses its place in the answers then.
 */
export function connectCluster(address: KafkaAddress, requestTimeoutMs: number): Cluster {
  const nodes = new Map<number, Broker>()
  const cache = new Map<string, { readonly at: number; readonly topic: TopicLeaders | null }>()
  let coordinatorNode: number | null = null
  const brokersFor = (to: number | 'any'): readonly Broker[] => {
    if (to === 'any') return [...address.brokers, ...nodes.values()]
    const node = nodes.get(to)
    if (node === undefined) throw new StoreFailed(`Kafka's node ${to} is not known`)
    return [node]
  }
  const channel = connectionChannel(address, brokersFor, requestTimeoutMs)

  const refresh = async (names: readonly string[]): Promise<void> => {
    const answer = await answerIn(channel.request('any', metadataVersions, [...names], false, false))
    for (const { nodeId, host, port } of answer.brokers) nodes.set(nodeId, { host, port })
    for (const topic of answer.topics) {
      const error = topic.errorCode === 0 ? null : protocolError(topic.errorCode)
      if (error !== null && error !== unknownTopic)
        throw new StoreFailed(`Kafka topic "${topic.name}": ${error}`)
      const leaders: number[] = []
      for (const one of topic.partitions)
        leaders[one.partitionIndex] = one.errorCode === 0 ? one.leaderId : -1
      const found = error === null ? { id: topic.topicId, leaders } : null
      cache.set(topic.name ?? '', { at: performance.now(), topic: found })
    }
  }

  return {
    request: channel.request,
    topics: async (names, maxAgeMs) => {
      const oldest = performance.now() - maxAgeMs
      const stale = names.filter((name) => (cache.get(name)?.at ?? -Infinity) <= oldest)
      if (stale.length > 0) await refresh(names)
      return new Map(names.map((name) => [name, cache.get(name)?.topic ?? null]))
    },
    coordinator: async (group) => {
      if (coordinatorNode !== null) return coordinatorNode
      const answer = await channel.request('any', coordinatorVersions, 0, [group])
      const [found] = answer.coordinators
      if (found === undefined) throw new StoreFailed(`Kafka knows no coordinator of the group "${group}"`)
      nodes.set(found.nodeId, { host: found.host, port: found.port })
      coordinatorNode = found.nodeId
      return coordinatorNode
    },
    forgetCoordinator: () => {
      coordinatorNode = null
    },
    beside: (timeoutMs) => connectionChannel(address, brokersFor, timeoutMs),
    ping: async () => await refresh([]),
    close: channel.close,
  }
}

function connectionChannel(
  address: KafkaAddress,
  brokersFor: (to: number | 'any') => readonly Broker[],
  requestTimeout: number,
): Pick<Cluster, 'request' | 'close'> {
  const pool = new ConnectionPool('featuregraph', {
    connectTimeout: connectTimeoutMs,
    requestTimeout,
    ...(address.tls ? { tls: {} } : {}),
    ...(address.sasl === null ? {} : { sasl: address.sasl }),
  })
  // Each failure is told to the caller; an error event without a listener would end the process.
  pool.on('connecting', ({ connection }) => connection.on('error', () => {}))
  const ranges = new WeakMap<Connection, Promise<VersionRanges>>()

  const connected = async (to: number | 'any'): Promise<Connection> => {
    const failures = new Set<string>()
    // Connected ones first: the others may be away.
    const brokers = brokersFor(to).toSorted((a, b) => Number(pool.has(b)) - Number(pool.has(a)))
    for (const broker of brokers) {
      try {
        return await pool.get(broker)
      } catch (error) {
        failures.add(reasonOf(error))
      }
    }
    throw new StoreFailed(`Kafka cannot be reached: ${[...failures].join('; ')}`)
  }
  const rangesOf = async (connection: Connection): Promise<VersionRanges> => {
    const known = ranges.get(connection)
    if (known !== undefined) return await known
    const asked = apiVersionsV3.api
      .async(connection, 'featuregraph', '1')
      .then(({ apiKeys }) => new Map(apiKeys.map((range) => [range.apiKey, range])))
    ranges.set(connection, asked)
    asked.catch(() => ranges.delete(connection))
    return await asked
  }
  return {
    request: async (to, versions, ...rest) => {
      const connection = await connected(to)
      try {
        const known = await rangesOf(connection)
        const api = versions.find(({ key, version }) => {
          const range = known.get(key)
          return range !== undefined && range.minVersion <= version && version <= range.maxVersion
        })
        if (api === undefined) throw new StoreFailed('the Kafka broker is too old: 3.1 or later is needed')
        return await api.async(connection, ...rest)
      } catch (error) {
        if (isTimeout(error)) connection.socket.destroy()
        throw error
      }
    },
    close: async () => {
      await pool.close()
    },
  }
}
