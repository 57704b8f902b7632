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
import { sharedClasses } from './kafka-classes.ts'
import { kafkaJars } from './kafka-jars.ts'
import { patienceMs } from './wait-until.ts'

const run = promisify(execFile)

export interface BrokerPorts {
  readonly plain: number
  readonly sasl: number
  readonly controller: number
}

export interface KafkaUser {
  readonly name: string
  readonly password: string
}

export interface BrokerSettings {
  readonly id: number
  /** Where its data, its settings and its log are. */
  readonly home: string
  readonly ports: BrokerPorts
  /** `controller.quorum.voters`: the same for all brokers of a cluster. */
  readonly voters: string
  readonly user: KafkaUser | null
  /** Settings that only a cluster of several needs, or that replace the usual ones. */
  readonly more: readonly string[]
}

/** One broker process, which is its own controller; it ends with the process that started it, however that ends. */
export interface KafkaBroker {
  /** Returns when it answers, on the same ports and data each time. */
  readonly start: () => Promise<void>
  /** SIGKILL; resolves when it is gone. */
  readonly kill: () => Promise<void>
}

/** The second compiler and other collectors would only pay off in a long run. */
const jvm = ['-Xms256m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto']

/**
 * What the pipe tie starts: a JVM that is born with SIGINT ignored, as the background programs of a shell are, never
 * listens to it. Node listens all the same, and gives its children the default. Its first argument is the signal that ends
 * the JVM.
 */
const wrapper = `
const { spawn } = require('node:child_process')
const [, end, program, ...args] = process.argv
const child = spawn(program, args, { stdio: 'inherit' })
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(end))
child.on('error', (error) => { console.error(error); process.exit(127) })
child.on('exit', (code) => process.exit(code ?? 137))
`

export async function brokerPorts(): Promise<BrokerPorts> {
  return { plain: await freePort(), sasl: await freePort(), controller: await freePort() }
}

/** Writes the settings and formats the data; the broker has not been started then. */
export async function prepareBroker(settings: BrokerSettings, clusterId: string): Promise<KafkaBroker> {
  const [program, jars] = await Promise.all([java(), kafkaJars()])
  const runBroker = async (option: string): Promise<void> => await runOnce([program, ...jvm, option], jars)
  const command = [program, ...jvm, ...(await sharedClasses(program, jars, runBroker))]
  return await prepare(settings, clusterId, { command, jars, end: 'SIGKILL' })
}

/** Starts a broker of its own and ends it in order. */
async function runOnce(command: readonly string[], jars: string): Promise<void> {
  const home = await mkdtemp(join(tmpdir(), 'featuregraph-kafka-once-'))
  try {
    const ports = await brokerPorts()
    const voters = `1@127.0.0.1:${ports.controller}`
    const clusterId = randomBytes(16).toString('base64url')
    const settings = { id: 1, home, ports, voters, user: null, more: [] }
    const broker = await prepare(settings, clusterId, { command, jars, end: 'SIGTERM' })
    await broker.start()
    await broker.kill()
  } finally {
    await rm(home, { recursive: true, force: true })
  }
}

interface Jvm {
  /** The program and its options, without the class path. */
  readonly command: readonly string[]
  readonly jars: string
  readonly end: 'SIGKILL' | 'SIGTERM'
}

async function prepare(
  { home, ports, user, ...settings }: BrokerSettings,
  clusterId: string,
  { command: [program = '', ...options], jars, end }: Jvm,
): Promise<KafkaBroker> {
  const path = join(home, 'server.properties')
  await mkdir(join(home, 'data'), { recursive: true })
  await writeFile(path, properties({ home, ports, user, ...settings }))
  const classes = ['-cp', join(jars, '*')]
  // As one word: an id may begin with a dash.
  const format = ['kafka.tools.StorageTool', 'format', `--cluster-id=${clusterId}`, '-c', path]
  // What it has loaded is not what a broker loads.
  const ownOptions = options.filter((option) => !option.startsWith('-XX:ArchiveClassesAtExit'))
  await run(program, [...ownOptions, ...classes, ...format, ...scramUsers(user)])
  let server: TiedProcess | null = null
  return {
    start: async () => {
      const args = [end, program, ...options, ...classes, 'kafka.Kafka', path]
      server = await startOnce(args, `127.0.0.1:${ports.plain}`, home)
    },
    kill: async () => {
      server?.release()
      await server?.exited
      server = null
    },
  }
}

function properties({ id, home, ports, voters, user, more }: BrokerSettings): string {
  const at = (port: number): string => `127.0.0.1:${port}`
  const mechanisms = 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512'
  const login = (module: string, rest = ''): string =>
    `org.apache.kafka.common.security.${module} required${rest};`
  return [
    'process.roles=broker,controller',
    `node.id=${id}`,
    `controller.quorum.voters=${voters}`,
    `listeners=PLAINTEXT://${at(ports.plain)},SASL://${at(ports.sasl)},CONTROLLER://${at(ports.controller)}`,
    `advertised.listeners=PLAINTEXT://${at(ports.plain)},SASL://${at(ports.sasl)}`,
    'controller.listener.names=CONTROLLER',
    'inter.broker.listener.name=PLAINTEXT',
    'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT',
    `sasl.enabled.mechanisms=${mechanisms}`,
    `listener.name.sasl.plain.sasl.jaas.config=${login('plain.PlainLoginModule', user === null ? '' : ` user_${user.name}="${user.password}"`)}`,
    `listener.name.sasl.scram-sha-256.sasl.jaas.config=${login('scram.ScramLoginModule')}`,
    `listener.name.sasl.scram-sha-512.sasl.jaas.config=${login('scram.ScramLoginModule')}`,
    `log.dirs=${join(home, 'data')}`,
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
    ...more,
  ].join('\n')
}

function scramUsers(user: KafkaUser | null): readonly string[] {
  if (user === null) return []
  return ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
    '--add-scram',
    `${mechanism}=[name=${user.name},password=${user.password}]`,
  ])
}

async function startOnce(args: readonly string[], bootstrap: string, home: string): Promise<TiedProcess> {
  const logPath = join(home, 'kafka.log')
  const log = await open(logPath, 'a')
  try {
    const env = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LOG_DIR: home }
    const options = { cwd: home, env, account: undefined, outputFd: log.fd }
    const server = await spawnTied(process.execPath, ['-e', wrapper, ...args], options)
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
export async function untilKnown(admin: Admin, topic: string, partitions: number): Promise<void> {
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

export async function withAdmin<Result>(
  bootstrap: string,
  work: (admin: Admin) => Promise<Result>,
): Promise<Result> {
  const admin = new Admin({
    clientId: 'featuregraph-tests',
    bootstrapBrokers: bootstrap.split(','),
    retries: 0,
  })
  try {
    return await work(admin)
  } finally {
    await admin.close()
  }
}
