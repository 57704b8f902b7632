import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Admin } from '@platformatic/kafka'
import { freePort } from '../../src/embedded/free-port.ts'
import { spawnTied, type TiedProcess } from '../../src/embedded/pipe-tie.ts'
import { java } from './java.ts'
import { kafkaJars } from './kafka-jars.ts'
import { patienceMs } from './wait-until.ts'

const run = promisify(execFile)

/** A Kafka broker of the tests' own, 4.x; it ends with the process that started it, however that ends. */
export interface KafkaServer {
  /** `host:port`, without TLS or users. */
  readonly bootstrap: string
  /** `host:port` of the same broker for the users that were given, by SASL without TLS. */
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

export interface KafkaOptions {
  /** Who may come in by SASL (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512). */
  readonly user?: { readonly name: string; readonly password: string }
}

/** The second compiler and other collectors would only pay off in a long run. */
const jvm = ['-Xms256m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto']

/**
 * What the pipe tie starts: a JVM that is born with SIGINT ignored, as the background programs of a shell are, never
 * listens to it. Node listens all the same, and gives its children the default.
 */
const wrapper = `
const { spawn } = require('node:child_process')
const child = spawn(process.argv[1], process.argv.slice(2), { stdio: 'inherit' })
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill('SIGKILL'))
child.on('error', (error) => { console.error(error); process.exit(127) })
child.on('exit', (code) => process.exit(code ?? 137))
`

/**
 * Null where no broker can be had (no Java 17 or no jars), with the reason told; under CI=true that is an error.
 * For a test file that skips itself then: `const kafka = await kafkaOrSkip()`, at its top.
 */
export async function kafkaOrSkip(options: KafkaOptions = {}): Promise<KafkaServer | null> {
  try {
    await Promise.all([java(), kafkaJars()])
  } catch (error) {
    if (process.env['CI'] === 'true') throw error
    console.warn(`the tests on a real Kafka are skipped: ${error instanceof Error ? error.message : error}`)
    return null
  }
  return await startKafka(options)
}

/** Starts a broker on 127.0.0.1 with new data and waits until it answers. Throws with the broker's words. */
async function startKafka(options: KafkaOptions = {}): Promise<KafkaServer> {
  const [program, jars] = await Promise.all([java(), kafkaJars()])
  const home = await mkdtemp(join(tmpdir(), 'featuregraph-kafka-'))
  const ports = { plain: await freePort(), sasl: await freePort(), controller: await freePort() }
  const bootstrap = `127.0.0.1:${ports.plain}`
  const settings = join(home, 'server.properties')
  await mkdir(join(home, 'data'))
  await writeFile(settings, properties(join(home, 'data'), ports, options))
  const classes = ['-cp', join(jars, '*')]
  const start = async (): Promise<TiedProcess> =>
    await startOnce(program, [...jvm, ...classes, 'kafka.Kafka', settings], bootstrap, home)
  let server: TiedProcess
  try {
    const id = randomBytes(16).toString('base64url')
    // As one word: an id may begin with a dash.
    const format = ['kafka.tools.StorageTool', 'format', `--cluster-id=${id}`, '-c', settings]
    await run(program, [...jvm, ...classes, ...format, ...scramUsers(options)])
    server = await start()
  } catch (error) {
    await rm(home, { recursive: true, force: true })
    throw error
  }
  const end = async (): Promise<void> => {
    server.release()
    await server.exited
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
    kill: end,
    restart: async () => {
      await end()
      server = await start()
    },
    stop: async () => {
      await end()
      await rm(home, { recursive: true, force: true })
    },
  }
}

function properties(
  data: string,
  ports: Readonly<Record<'plain' | 'sasl' | 'controller', number>>,
  { user }: KafkaOptions,
): string {
  const at = (port: number): string => `127.0.0.1:${port}`
  const mechanisms = 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512'
  const login = (module: string, rest = ''): string =>
    `org.apache.kafka.common.security.${module} required${rest};`
  return [
    'process.roles=broker,controller',
    'node.id=1',
    `controller.quorum.voters=1@${at(ports.controller)}`,
    `listeners=PLAINTEXT://${at(ports.plain)},SASL://${at(ports.sasl)},CONTROLLER://${at(ports.controller)}`,
    `advertised.listeners=PLAINTEXT://${at(ports.plain)},SASL://${at(ports.sasl)}`,
    'controller.listener.names=CONTROLLER',
    'inter.broker.listener.name=PLAINTEXT',
    'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT',
    `sasl.enabled.mechanisms=${mechanisms}`,
    `listener.name.sasl.plain.sasl.jaas.config=${login('plain.PlainLoginModule', user === undefined ? '' : ` user_${user.name}="${user.password}"`)}`,
    `listener.name.sasl.scram-sha-256.sasl.jaas.config=${login('scram.ScramLoginModule')}`,
    `listener.name.sasl.scram-sha-512.sasl.jaas.config=${login('scram.ScramLoginModule')}`,
    `log.dirs=${data}`,
    'offsets.topic.replication.factor=1',
    'offsets.topic.num.partitions=4',
    'transaction.state.log.replication.factor=1',
    'transaction.state.log.min.isr=1',
    'share.coordinator.state.topic.replication.factor=1',
    'share.coordinator.state.topic.min.isr=1',
    'group.initial.rebalance.delay.ms=0',
    'group.min.session.timeout.ms=500',
    'auto.create.topics.enable=false',
    'message.max.bytes=8388608',
    'log.retention.check.interval.ms=500',
    // Else a broker that was killed is refused for nine seconds, while its former self counts as alive.
    'broker.session.timeout.ms=1000',
    'broker.heartbeat.interval.ms=200',
  ].join('\n')
}

function scramUsers({ user }: KafkaOptions): readonly string[] {
  if (user === undefined) return []
  return ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
    '--add-scram',
    `${mechanism}=[name=${user.name},password=${user.password}]`,
  ])
}

async function startOnce(
  program: string,
  args: readonly string[],
  bootstrap: string,
  home: string,
): Promise<TiedProcess> {
  const logPath = join(home, 'kafka.log')
  const log = await open(logPath, 'a')
  try {
    const env = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LOG_DIR: home }
    const options = { cwd: home, env, account: undefined, outputFd: log.fd }
    const server = await spawnTied(process.execPath, ['-e', wrapper, program, ...args], options)
    let ended = false
    void server.exited.then(() => {
      ended = true
    })
    const until = performance.now() + patienceMs
    while (!ended && performance.now() < until) {
      if (await answers(bootstrap)) return server
      await sleep(20)
    }
    server.release()
    await server.exited
    throw new Error(`the Kafka broker did not start:\n${await readFile(logPath, 'utf8')}`)
  } finally {
    await log.close()
  }
}

/** The controller has done it; the broker hears of it a little later. */
async function untilKnown(admin: Admin, topic: string, partitions: number): Promise<void> {
  const until = performance.now() + patienceMs
  while (performance.now() < until) {
    const found = await admin.metadata({ topics: [topic], forceUpdate: true }).then(
      ({ topics }) => topics.get(topic)?.partitions.filter(({ leader }) => leader >= 0).length ?? 0,
      () => 0,
    )
    if (found === partitions) return
    await sleep(10)
  }
  throw new Error(`the broker does not have ${partitions} partitions of "${topic}"`)
}

async function answers(bootstrap: string): Promise<boolean> {
  try {
    return await withAdmin(bootstrap, async (admin) => {
      const { brokers } = await admin.metadata({ topics: [] })
      return brokers.size > 0
    })
  } catch {
    return false
  }
}

async function withAdmin<Result>(
  bootstrap: string,
  work: (admin: Admin) => Promise<Result>,
): Promise<Result> {
  const admin = new Admin({ clientId: 'featuregraph-tests', bootstrapBrokers: [bootstrap], retries: 0 })
  try {
    return await work(admin)
  } finally {
    await admin.close()
  }
}
