import { type API, apiVersionsV3, type Broker, type Connection, ConnectionPool } from '@platformatic/kafka'
import { StoreFailed } from '../../errors.ts'
import type { KafkaAddress } from './kafka-url.ts'
import { isTimeout, protocolErrorsIn, reasonOf } from './protocol-error.ts'

export type Send<To> = <Arguments extends unknown[], Answer>(
  to: To,
  api: API<Arguments, Answer>,
  ...rest: Arguments
) => Promise<Answer>

/** Connections to the brokers, opened when needed and again after a failure; one request after the other on each. */
export interface Connections {
  /** Sends to one node (a number) or to the first that answers. */
  readonly request: Send<number | 'any'>
  readonly close: () => Promise<void>
}

export const connectTimeoutMs = 3_000

type VersionRanges = ReadonlyMap<number, { readonly minVersion: number; readonly maxVersion: number }>

/**
 * Rejections are `StoreFailed` when no broker answered, else the library's own with the broker's answer: see `protocolError`.
 * A request that is not answered within its time breaks its connection, since the library loses its position in the answers then.
 */
export function openConnections(
  address: KafkaAddress,
  nodes: ReadonlyMap<number, Broker>,
  requestTimeout: number,
): Connections {
  const timeouts = { connectTimeout: connectTimeoutMs, requestTimeout }
  const pool = new ConnectionPool('featuregraph', { ...timeouts, ...loginOf(address) })
  ignoreErrorEvents(pool)
  const ranges = new WeakMap<Connection, Promise<VersionRanges>>()

  const rangesOf = async (connection: Connection): Promise<VersionRanges> => {
    const asked =
      ranges.get(connection) ??
      apiVersionsV3.api
        .async(connection, 'featuregraph', '1')
        .then(({ apiKeys }) => new Map(apiKeys.map((range) => [range.apiKey, range])))
    ranges.set(connection, asked)
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
    const node = to === 'any' ? null : nodes.get(to)
    if (node === undefined) throw new StoreFailed(`Kafka's node ${to} is not known`)
    const brokers = node === null ? [...address.brokers, ...nodes.values()] : [node]
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
    throw new StoreFailed(`Kafka (FEATUREGRAPH_STREAM_URL) cannot be reached: ${[...failures].join('; ')}`)
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
