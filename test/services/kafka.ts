import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { java } from './java.ts'
import {
  brokerPorts,
  type KafkaBroker,
  type KafkaUser,
  prepareBroker,
  untilKnown,
  withAdmin,
} from './kafka-broker.ts'
import { kafkaJars } from './kafka-jars.ts'

/** A Kafka broker of this process's own, 4.x; it ends with the process, however that ends. */
export interface KafkaServer {
  /** `host:port`, without TLS or users. */
  readonly bootstrap: string
  /** `host:port` of the same broker for `kafkaUser`, by SASL without TLS. */
  readonly bootstrapSasl: string
  /** Resolves when the broker knows that it leads all partitions. */
  readonly createTopic: (name: string, partitions: number) => Promise<void>
  /** Resolves when the broker does not know it any more. */
  readonly deleteTopic: (name: string) => Promise<void>
  /** SIGKILL; resolves when it is gone. */
  readonly kill: () => Promise<void>
  /** Starts it again on the same ports and data, ending it first if it still runs. */
  readonly restart: () => Promise<void>
  /** Ends the broker and removes its data. */
  readonly stop: () => Promise<void>
}

/** Who may come in by SASL (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512). */
export const kafkaUser: KafkaUser = { name: 'someone', password: 'p@ss:w/rd' }

let shared: Promise<KafkaServer> | null = null
let ending: NodeJS.Timeout | undefined

/** A broker that nothing asks takes a thirtieth of a processor for the rest of the run; the next file begins within it. */
const idleMs = 5_000

/**
 * The broker of this process, since a start takes five seconds of CPU: test files of one process run one after another and
 * share it, so a file that kills it starts it again. It ends when the next file does not ask for it. Null where none can be
 * had (no Java 17 or no jars), with the reason reported; under CI=true that is an error. For a test file that skips itself
 * then: `const kafka = await kafkaOrSkip()`, at its top.
 */
export async function kafkaOrSkip(): Promise<KafkaServer | null> {
  if (!(await canRunKafka())) return null
  clearTimeout(ending)
  shared ??= startKafka()
  afterAll(endUnlessAsked)
  return await shared
}

function endUnlessAsked(): void {
  ending = setTimeout(() => {
    const idle = shared
    shared = null
    // What did not start has failed its file.
    idle?.then((broker) => broker.stop()).catch(() => {})
  }, idleMs)
}

/** False where no broker can be had, with the reason reported; under CI=true that is an error. */
export async function canRunKafka(): Promise<boolean> {
  try {
    await Promise.all([java(), kafkaJars()])
    return true
  } catch (error) {
    if (process.env['CI'] === 'true') throw error
    console.warn(`the tests on a real Kafka are skipped: ${error instanceof Error ? error.message : error}`)
    return false
  }
}

/** Starts a broker on 127.0.0.1 with new data and waits until it answers. Throws with the broker's words. */
async function startKafka(): Promise<KafkaServer> {
  const home = await mkdtemp(join(tmpdir(), 'featuregraph-kafka-'))
  const ports = await brokerPorts()
  const bootstrap = `127.0.0.1:${ports.plain}`
  const voters = `1@127.0.0.1:${ports.controller}`
  const clusterId = randomBytes(16).toString('base64url')
  let broker: KafkaBroker
  try {
    broker = await prepareBroker({ id: 1, home, ports, voters, user: kafkaUser, more: [] }, clusterId)
    await broker.start()
  } catch (error) {
    await rm(home, { recursive: true, force: true })
    throw error
  }
  return {
    bootstrap,
    bootstrapSasl: `127.0.0.1:${ports.sasl}`,
    createTopic: async (name, partitions) => {
      await withAdmin(bootstrap, async (admin) => {
        await admin.createTopics({ topics: [name], partitions, replicas: 1 })
        await untilKnown(admin, name, partitions)
      })
    },
    deleteTopic: async (name) => {
      await withAdmin(bootstrap, async (admin) => {
        await admin.deleteTopics({ topics: [name] })
        await untilKnown(admin, name, 0)
      })
    },
    kill: broker.kill,
    restart: async () => {
      await broker.kill()
      await broker.start()
    },
    stop: async () => {
      await broker.kill()
      await rm(home, { recursive: true, force: true })
    },
  }
}
