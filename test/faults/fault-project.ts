import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Micros } from '../../src/definitions/timestamp.ts'
import { type Running, startCommand } from '../cli/start-command.ts'
import { newProject, startTestGateway, type TestGateway } from '../server/start-test-gateway.ts'
import { applyFolder } from '../services/apply-folder.ts'
import type { KafkaServer } from '../services/kafka.ts'
import { testPool } from '../services/test-pool.ts'
import { patienceMs } from '../services/wait-until.ts'
import {
  type Comparison,
  type CountedEvent,
  compareAnswers,
  gatewayAnswers,
  oracleAnswers,
} from './compare-answers.ts'
import { consumerGroup } from './consumer-group.ts'
import type { FaultServers } from './fault-servers.ts'
import { openProducer, type Producer } from './producer.ts'
import { between, type Random } from './random.ts'
import { countStored, type HeldEvents, holdEvents, misplaced, readStored } from './stored-events.ts'
import { faultWorld } from './world.ts'

/** A project of its own with its topic, its processes of `featuregraph stream`, and a producer that knows what it sent. */
export interface FaultProject {
  readonly producer: Producer
  readonly start: (processes: number) => void
  /** One of the processes, chosen at random; resolves when it is gone. */
  readonly end: (signal: 'SIGKILL' | 'SIGTERM') => Promise<void>
  /** All of them, by SIGTERM, each of which must say that it ended in order. */
  readonly endAll: () => Promise<void>
  /** Resolves when more events are stored than when it was called. */
  readonly untilMoreIsStored: () => Promise<void>
  /** One of the processes stands still until the result is called. */
  readonly hang: () => () => void
  readonly holdStoredEvents: () => Promise<HeldEvents>
  /** The group is to read all partitions from their first message on. No process may run. */
  readonly rewind: () => Promise<void>
  /** By number. */
  readonly storedMoments: () => Promise<ReadonlyMap<number, Micros>>
  /**
   * Waits until all that was sent is stored and applied, and compares everything that can be asked for with what the
   * producer knows. Throws with what differs.
   */
  readonly check: () => Promise<void>
  readonly compared: () => { readonly produced: number; readonly answers: number }
  readonly close: () => Promise<void>
}

const partitions = 4
const minute: Micros = 60_000_000
const shownDifferences = 12

export async function openFaultProject(
  kafka: KafkaServer,
  { offlineUrl, onlineUrl }: FaultServers,
  { random, isLong }: { readonly random: Random; readonly isLong: boolean },
): Promise<FaultProject> {
  const project = newProject()
  const topic = `payments-${project}`
  const { source, views, module } = faultWorld(topic)
  const folder = await mkdtemp(join(tmpdir(), 'featuregraph-fault-project-'))
  await mkdir(join(folder, 'schema'))
  await writeFile(join(folder, 'schema', 'world.mjs'), module)
  await kafka.createTopic(topic, partitions)
  const producer = openProducer({ bootstrap: kafka.bootstrap, topic, random })
  const group = consumerGroup(kafka.bootstrap, `featuregraph-${project}`, topic)
  const settings = {
    OFFLINE_URL: offlineUrl,
    ONLINE_URL: onlineUrl,
    STREAM_URL: `kafka://${kafka.bootstrap}?session-timeout=2s`,
    PROJECT: project,
    SCHEMA: join(folder, 'schema'),
    LOG_LEVEL: 'warn',
  }
  await applyFolder(settings)
  const pool = testPool(offlineUrl, 2)
  const started: Micros = Date.now() * 1_000
  const running: Running[] = []
  const reported: string[] = []
  const held: HeldEvents[] = []
  const time: { now: Micros | null } = { now: null }
  let gateway: TestGateway | null = null
  let answers = 0
  let produced = 0

  async function gatewayAt(t: Micros): Promise<TestGateway> {
    time.now = t
    gateway ??= await startTestGateway({
      offlineUrl,
      onlineUrl,
      settings: { PROJECT: project, SCHEMA: settings.SCHEMA, LOG_LEVEL: 'warn' },
      clock: () => time.now ?? Date.now() * 1_000,
      makeTables: false,
    })
    return gateway
  }

  async function storedMoments(): Promise<ReadonlyMap<number, Micros>> {
    const { kept } = await readStored(pool, project, source)
    return new Map(kept.map(({ seq, storedAt }) => [seq, storedAt]))
  }

  async function counted(): Promise<readonly CountedEvent[]> {
    const storedAt = await storedMoments()
    return (await producer.produced()).flatMap(({ seq, event, partition, offset }) => {
      const moment = storedAt.get(seq)
      return event === null || moment === undefined ? [] : [{ event, partition, offset, storedAt: moment }]
    })
  }

  async function compareAt(
    events: readonly CountedEvent[],
    t: Micros,
    clocks: readonly ('ONLINE' | 'OFFLINE')[],
  ): Promise<Comparison> {
    const asked = await gatewayAt(t)
    const found = await Promise.all(
      clocks.map(async (clock) => [clock, await gatewayAnswers(asked, views, clock, t)] as const),
    )
    return compareAnswers(views, t, oracleAnswers(events, t), Object.fromEntries(found))
  }

  function fail(what: string, problems: readonly string[]): never {
    const more = problems.length > shownDifferences ? [`and ${problems.length - shownDifferences} more`] : []
    const processes = [...reported, ...running.map(({ output }) => output.stderr)].filter(
      (text) => text !== '',
    )
    throw new Error([what, ...problems.slice(0, shownDifferences), ...more, ...processes].join('\n'))
  }

  const kept = (): Promise<number> => countStored(pool, project, source)

  /** Tries until it is true; what it throws counts as false, while there is time: as long as more events come in, always. */
  async function until(what: () => Promise<boolean>): Promise<boolean> {
    let end = performance.now() + patienceMs
    let before = 0
    while (performance.now() < end) {
      if (await what().catch(() => false)) return true
      await sleep(100)
      const now = await kept().catch(() => before)
      if (now !== before) end = performance.now() + patienceMs
      before = now
    }
    return await what()
  }

  async function untilCaughtUp(): Promise<Comparison> {
    const events = await counted()
    let last: Comparison = { answers: 0, differences: [] }
    await until(async () => {
      last = await compareAt(events, Date.now() * 1_000, ['ONLINE'])
      return last.differences.length === 0
    })
    return last
  }

  async function check(): Promise<void> {
    const alone = running.filter(({ child }) => child.exitCode !== null || child.signalCode !== null)
    if (alone.length > 0) fail('a process of `featuregraph stream` ended by itself', [])
    const messages = await producer.produced()
    produced = messages.length
    const ends = Array.from({ length: partitions }, (_, partition) =>
      Math.max(0, ...messages.filter((one) => one.partition === partition).map(({ offset }) => offset + 1)),
    )
    const isAtEnd = await until(() => group.isAtEnd(ends))
    const now = Date.now() * 1_000
    const problems = misplaced(topic, messages, await readStored(pool, project, source), now)
    if (problems.length > 0) fail('not every message is where it should be', problems)
    if (!isAtEnd) fail('the offsets of all that is kept are not committed', [])
    const level = await untilCaughtUp()
    if (level.differences.length > 0) fail('online was not brought level', level.differences)

    const events = await counted()
    const t = Date.now() * 1_000
    const later = (isLong ? [7, 40, 61, 305, 23 * 60, 25 * 60] : [7, 61, 25 * 60]).map(
      (minutes) => t + minutes * minute,
    )
    const comparisons: Comparison[] = []
    for (const one of [t, ...later.map((at) => at + between(random, 0, 4 * minute))])
      comparisons.push(await compareAt(events, one, ['ONLINE', 'OFFLINE']))
    for (let past = 0; past < (isLong ? 3 : 1); past += 1)
      comparisons.push(await compareAt(events, between(random, started, t), ['OFFLINE']))
    for (const one of comparisons) answers += one.answers
    const differences = comparisons.flatMap((one) => one.differences)
    if (differences.length > 0) fail('answers differ', differences)
  }

  return {
    producer,
    start(processes) {
      for (let left = processes; left > 0; left -= 1) running.push(startCommand(['stream'], settings, folder))
    },
    async end(signal) {
      const [one] = running.splice(between(random, 0, running.length - 1), 1)
      if (!one) throw new Error('no process is running')
      one.child.kill(signal)
      reported.push((await one.ended).stderr)
    },
    hang() {
      const one = running[between(random, 0, running.length - 1)]
      one?.child.kill('SIGSTOP')
      return () => one?.child.kill('SIGCONT')
    },
    async endAll() {
      for (const { child } of running) child.kill('SIGTERM')
      for (const { ended } of running.splice(0)) {
        const { code, stderr } = await ended
        // Null: it had hardly begun and did not listen to signals yet.
        if (code !== 0 && code !== null) throw new Error(`featuregraph stream ended with ${code}:\n${stderr}`)
        reported.push(stderr)
      }
    },
    async untilMoreIsStored() {
      const before = await kept().catch(() => 0)
      if (!(await until(async () => (await kept()) > before))) fail('no more events are kept', [])
    },
    async holdStoredEvents() {
      const one = await holdEvents(offlineUrl, project, source)
      held.push(one)
      return one
    },
    rewind: () => group.rewind(partitions),
    storedMoments,
    check,
    compared: () => ({ produced, answers }),
    async close() {
      await Promise.all(held.map(({ release }) => release()))
      for (const { child } of running) child.kill('SIGKILL')
      await Promise.all(running.map(({ ended }) => ended))
      await gateway?.close()
      await producer.close()
      await pool.end()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
