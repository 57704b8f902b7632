import {
  type API,
  apiVersionsV3,
  type Broker,
  type Connection,
  ConnectionPool,
  findCoordinatorV4,
  metadataV10,
} from '@platformatic/kafka'
import { StoreFailed } from '../../errors.ts'
import type { KafkaAddress } from './kafka-url.ts'
import { answerIn, isTimeout, protocolError, protocolErrorsIn, reasonOf } from './protocol-error.ts'

interface TopicLeaders {
  readonly id: string
  /** Node of each partition's leader, by partition; −1 while there is none. */
  readonly leaders: readonly number[]
}

type Send<To> = <Arguments extends unknown[], Answer>(
  to: To,
  api: API<Arguments, Answer>,
  ...rest: Arguments
) => Promise<Answer>

/** Connections to the brokers, opened when needed and again after a failure; one request after the other on each. */
export interface Channel {
  /** Sends to one node (a number) or to the first that answers. */
  readonly request: Send<number | 'any'>
  /** Sends to the node that coordinates the group; it is asked for again after a failure. */
  readonly requestCoordinator: Send<string>
  readonly close: () => Promise<void>
}

type Connections = Omit<Channel, 'requestCoordinator'>

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
export const connectTimeoutMs = 3_000

type VersionRanges = ReadonlyMap<number, { readonly minVersion: number; readonly maxVersion: number }>

/**
 * Rejections are `StoreFailed` when no broker answered, else the library's own with the broker's answer: see `protocolError`.
 * A request that is not answered within its time breaks its connection, since the library loses its position in the answers then.
 */
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

function openConnections(
  address: KafkaAddress,
  nodes: Map<number, Broker>,
  requestTimeout: number,
): Connections {
  const login = loginOf(address)
  const pool = new ConnectionPool('featuregraph', {
    connectTimeout: connectTimeoutMs,
    requestTimeout,
    ...login,
  })
  ignoreErrorEvents(pool)
  const ranges = new WeakMap<Connection, Promise<VersionRanges>>()

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
  const send: Send<Connection> = async (connection, api, ...rest) => {
    try {
      const { minVersion = 1, maxVersion = 0 } = (await rangesOf(connection)).get(api.key) ?? {}
      if (api.version < minVersion || api.version > maxVersion)
        throw new StoreFailed('the Kafka broker is too old or too new: 3.1 to 4 is needed')
      return await api.async(connection, ...rest)
    } catch (error) {
      if (isTimeout(error)) connection.socket.destroy()
      throw error
    }
  }
  const request: Connections['request'] = async (to, api, ...rest) => {
    const node = to === 'any' ? undefined : nodes.get(to)
    const brokers = node === undefined ? [...address.brokers, ...nodes.values()] : [node]
    const failures = new Set<string>()
    // Connected ones first: the others may be away.
    for (const broker of brokers.toSorted((a, b) => Number(pool.has(b)) - Number(pool.has(a)))) {
      try {
        return await send(await pool.get(broker), api, ...rest)
      } catch (error) {
        if (error instanceof StoreFailed || protocolErrorsIn(error).size > 0) throw error
        failures.add(reasonOf(error))
      }
    }
    throw new StoreFailed(`Kafka cannot be reached: ${[...failures].join('; ')}`)
  }
  return {
    request,
    close: async () => {
      await pool.close()
    },
  }
}

/** How connections of the library log in. */
export function loginOf({ tls, sasl }: KafkaAddress) {
  return { ...(tls ? { tls: {} } : {}), ...(sasl === null ? {} : { sasl }) }
}

/** Each failure is reported to the caller too; an error event without a listener would end the process. */
export function ignoreErrorEvents(pool: ConnectionPool): void {
  pool.on('connecting', ({ connection }) => connection.on('error', () => {}))
}
