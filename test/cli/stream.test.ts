import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { freePort } from '../../src/embedded/free-port.ts'
import type { EventStream } from '../../src/stores/event-stream.ts'
import { kafkaEventStream } from '../../src/stores/kafka/event-stream.ts'
import { parseKafkaUrl } from '../../src/stores/kafka/kafka-url.ts'
import { blocksOf } from '../docs/doc-blocks.ts'
import { type Answer, newProject, startTestGateway } from '../server/start-test-gateway.ts'
import { applyFolder } from '../services/apply-folder.ts'
import { kafkaOrSkip } from '../services/kafka.ts'
import { isLong } from '../services/long-run.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { testPool } from '../services/test-pool.ts'
import { waitUntil } from '../services/wait-until.ts'
import { type Running, repository, startCommand } from './start-command.ts'

const kafka = await kafkaOrSkip()
const run = promisify(execFile)

if (kafka === null) it.skip('featuregraph stream on a real Kafka: none can be had here, see CONTRIBUTING.md')
else {
  const url = `kafka://${kafka.bootstrap}`
  let folder: string
  let database: TestDatabase
  let pool: pg.Pool
  let stream: EventStream
  beforeAll(async () => {
    ;[folder, database] = await Promise.all([
      mkdtemp(join(tmpdir(), 'featuregraph-stream-')),
      createTestDatabase(),
    ])
    pool = testPool(database.url, 2)
    stream = kafkaEventStream(parseKafkaUrl(url, 'STREAM_URL'))
  })
  afterAll(async () => {
    await stream?.close()
    await pool?.end()
    await Promise.all([rm(folder, { recursive: true, force: true }), database?.drop()])
  })

  describe('featuregraph stream on Kafka', () => {
    const over = (aggregate: object) => JSON.stringify({ window: '2h', hop: '5m', ...aggregate })
    const writeOrders = async (name: string, topic: string, most: number) => {
      await mkdir(join(folder, name))
      await writeFile(
        join(folder, name, 'world.mjs'),
        `export const customer = { kind: 'entity', name: 'customer', joinKeys: { customer_id: 'int64' } }
           export const orders = { kind: 'event-source', name: 'orders', topic: '${topic}', eventTimestamp: 'at',
             fields: { customer_id: 'int64', amount: { type: 'int32', expect: { max: ${most}, action: 'quarantine' } } } }
           export const recent = { kind: 'windowed-view', name: 'recent', entity: 'customer', source: 'orders', compute: { mode: 'stream' },
             features: { n: ${over({ aggregate: 'count' })}, most: ${over({ aggregate: 'max', field: 'amount' })} } }`,
      )
    }
    const at = (): string => new Date().toISOString()
    const message = (value: unknown) => ({
      key: Buffer.from('k'),
      value: Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
    })
    const settings = () => ({
      OFFLINE_URL: database.url,
      ONLINE_URL: inject('redisUrl'),
      STREAM_URL: url,
      PROJECT: newProject(),
      SCHEMA: join(folder, 'orders'),
      LOG_LEVEL: 'warn',
    })
    const withStream = async (
      own: Readonly<Record<string, string>>,
      work: (running: Running) => Promise<void>,
    ) => {
      const running = startCommand(['stream'], own, folder)
      try {
        await work(running)
      } finally {
        running.child.kill('SIGTERM')
        await running.ended
      }
    }
    const withGateway = async (
      own: Readonly<Record<string, string>>,
      work: (ask: () => Promise<Answer>) => Promise<void>,
    ) => {
      const gateway = await startTestGateway({
        offlineUrl: own['OFFLINE_URL'] ?? '',
        onlineUrl: own['ONLINE_URL'] ?? '',
        settings: { PROJECT: own['PROJECT'] ?? '', SCHEMA: own['SCHEMA'] ?? '' },
      })
      try {
        await work(() =>
          gateway.ask('{ customer(customerId: 7) { recent { n most freshness { status lagSeconds } } } }'),
        )
      } finally {
        await gateway.close()
      }
    }
    beforeAll(async () => {
      await writeOrders('orders', 'orders', 100)
      await writeOrders('mended', 'orders', 1_000)
      await writeOrders('renewed', 'renewed', 1_000)
    })

    it('is set up by the commands of docs/streaming.md and docs/servers.md, over these servers in place of theirs', async () => {
      const [curls = '', containers = '', own = ''] = blocksOf('docs/streaming.md', 'sh')
      const [servers = ''] = blocksOf('docs/servers.md', 'sh')
      const lines = [own, servers].join('\n').split('\n')
      const here: Readonly<Record<string, string>> = {
        ...{ kafka: url, postgres: database.url, redis: inject('redisUrl') },
      }
      const exports = lines
        .filter((line) => line.startsWith('export '))
        .map((line) => line.replace(/=(\w+):\S+/g, (_, kind: string) => `='${here[kind]}'`))
      // The broker's own tool is not here; what it is asked for is.
      const [, topic = '', partitions] =
        /^kafka-topics\.sh .*--create --topic (\S+) --partitions (\d+)$/m.exec(own) ?? []
      await kafka.deleteTopic(topic).catch(() => {})
      await kafka.createTopic(topic, Number(partitions))
      const commands = lines.flatMap(
        (line) => /^(?:npx featuregraph|node src\/\S+) (\w+)/.exec(line)?.[1] ?? [],
      )
      expect([...new Set(commands)].toSorted()).toEqual(['apply', 'migrate', 'serve', 'stream', 'worker'])
      const [port, project] = [await freePort(), newProject()]
      const started: ChildProcess[] = []
      const start = (name: string): ChildProcess => {
        const child = spawn('sh', ['-c', `${exports.join('\n')}\nexec node src/featuregraph.js ${name}`], {
          cwd: repository,
          env: {
            ...{ PATH: process.env['PATH'], HOME: folder, FEATUREGRAPH_PROJECT: project },
            ...{ FEATUREGRAPH_PORT: String(port), FEATUREGRAPH_ONLINE_TIMEOUT_MS: '60000' },
          },
          stdio: 'ignore',
        })
        started.push(child)
        return child
      }
      try {
        expect(await once(start('migrate'), 'exit')).toEqual([0, null])
        expect(await once(start('apply'), 'exit')).toEqual([0, null])
        for (const name of ['serve', 'worker', 'stream']) start(name)
        const produced = containers.replace(/docker compose exec .*/, 'cat')
        const { stdout } = await run('sh', ['-c', produced])
        await stream.publish(topic, [message(stdout.trim())])
        const ask = curls
          .slice(curls.indexOf('curl -s localhost:4000/graphql'))
          .replace('localhost:4000', `127.0.0.1:${port}`)
        const answer = async (): Promise<unknown> => {
          const asked = await run('sh', ['-c', ask]).catch(() => null)
          return asked === null ? null : JSON.parse(asked.stdout).data?.customer?.customerRealtimeFeatures
        }
        await expect.poll(answer, { interval: 500 }).toMatchObject({
          ...{ transactionsLastHour: 1, amountLastHour: 12 },
          freshness: { lagSeconds: expect.any(Number) },
        })
        expect(started.slice(2).map(({ exitCode }) => exitCode)).toEqual([null, null, null])
      } finally {
        const ends = started.filter(({ exitCode }) => exitCode === null).map((child) => once(child, 'exit'))
        for (const child of started) child.kill('SIGTERM')
        await Promise.all(ends)
        await kafka.deleteTopic(topic)
      }
    })

    it('lists what was dead-lettered, has it in a topic, and keeps it once the definitions fit', async () => {
      const own = { ...settings(), LOG_LEVEL: 'info', METRICS_PORT: '0' }
      await applyFolder(own)
      const run = (...args: readonly string[]) => startCommand(args, own, folder).ended
      await Promise.all([kafka.createTopic('orders', 2), kafka.createTopic('orders.dead-letters', 1)])
      const deadLetters = stream.consume({
        ...{ group: 'who mends', topics: ['orders.dead-letters'] },
        onAssigned: async (partitions) => {
          for (const one of partitions) deadLetters.seek({ ...one, offset: 0 })
        },
        ...{ onRevoked: async () => {}, onError: () => {} },
      })
      await stream.publish('orders', [
        message({ at: at(), customer_id: 7, amount: 1 }),
        message({ at: at(), customer_id: 7, amount: 500 }),
        message('\u001b[31mno json'),
        message({ at: at(), customer_id: 7, amount: 3 }),
      ])
      await withStream(own, async ({ output }) => {
        const letters: string[] = []
        await expect
          .poll(async () => {
            for (const { value } of await deadLetters.poll({ maxMessages: 10, waitMs: 200 }))
              letters.push(value.toString())
            return letters.length
          })
          .toBe(2)
        expect(letters.sort()).toEqual(['\u001b[31mno json', expect.stringContaining('"amount":500')].sort())
        await withGateway(own, async (ask) => {
          await expect.poll(async () => (await ask()).data.customer.recent.n).toBe(2)
        })
        const address = /metrics at (http:\S+\/metrics)/.exec(output.stdout + output.stderr)?.[1] ?? ''
        expect((await fetch(address.replace('/metrics', '//'))).status).toBe(404)
        const metrics = await (await fetch(address)).text()
        expect(metrics).toContain('featuregraph_events_stored_total{source="orders"} 2')
        expect(metrics).toContain('featuregraph_events_quarantined_total{source="orders"} 2')
        expect(metrics).toMatch(/featuregraph_stream_lag_seconds\{view="recent"\} \d/)
        expect(metrics).toMatch(/featuregraph_stream_lag_messages\{topic="orders",partition="\d"\} 0/)
        expect(metrics).toMatch(/featuregraph_stream_applied_events_total\{view="recent"\} 2/)
      })
      await deadLetters.close()
      const list = await run('quarantine', 'show')
      expect(list.stdout).toMatch(/message +orders\/\d\/\d +amount +500 +Value 500 above maximum 100/)
      expect(list.stdout).toMatch(/the line is not JSON in UTF-8/)
      const lines = (await run('dead-letters', 'list', 'orders', '--json')).stdout.trim().split('\n')
      expect(lines.map((line) => Buffer.from(JSON.parse(line).message, 'base64').toString())).toContain(
        '\u001b[31mno json',
      )
      expect((await run('quarantine', 'retry')).stdout).toContain('orders: 0 accepted, 0 dropped, 2 stay')
      const unknown = await run('quarantine', 'retry', 'order')
      expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('did you mean "orders"')])

      const lost = await run('stream', 'rebuild', 'recente')
      expect([lost.code, lost.stderr]).toEqual([1, expect.stringContaining('did you mean "recent"')])

      own.SCHEMA = join(folder, 'mended')
      await applyFolder(own)
      expect((await run('dead-letters', 'retry', 'orders')).stdout).toBe(
        'orders: 1 accepted, 0 dropped, 1 stay\n  1: the line is not JSON in UTF-8\n',
      )
      expect((await run('quarantine', 'list')).stdout.trim().split('\n')).toHaveLength(2)
      expect((await run('stream', '--once')).code).toBe(0)
      await withGateway(own, async (ask) => {
        expect((await ask()).data.customer.recent).toMatchObject({ n: 3, most: 500 })
      })
    })

    // In the suite: test/contract/event-stream does not read such a topic, test/stores/postgres/events does not mix the two,
    // and test/ingest/tiles rebuilds.
    it.runIf(isLong)(
      'reads nothing of a topic that was created again until a rebuild takes it as a new one',
      async () => {
        const own = { ...settings(), SCHEMA: join(folder, 'renewed') }
        await applyFolder(own)
        const run = (...args: readonly string[]) => startCommand(args, own, folder).ended
        const publish = (amount: number) =>
          stream.publish('renewed', [message({ at: at(), customer_id: 7, amount })])
        const shows = (text: RegExp) =>
          expect.poll(async () => (await run('stream', 'status')).stdout, { interval: 500 }).toMatch(text)
        /** So many, and the tiles caught up: asked of Postgres first, since a command takes a second. */
        const untilApplied = (events: number) =>
          waitUntil(async () => {
            const { rows } = await pool
              .query<{ applied: boolean }>(
                `select (select count(*) from events_${own.PROJECT}.orders) = $2 and exists (
                 select from featuregraph.tile_generations where project = $1 and level_at is not null) as applied`,
                [own.PROJECT, events],
              )
              .catch(() => ({ rows: [] }))
            return rows[0]?.applied === true
          }, `${events} events are stored and applied`)
        await kafka.createTopic('renewed', 1)
        await publish(1)
        await withStream(own, async () => {
          await untilApplied(1)
          await shows(/recent +orders +generation 1 +\d/)
          await shows(/orders +renewed\/0 +1 +0 +20/)
        })
        await kafka.deleteTopic('renewed')
        await kafka.createTopic('renewed', 1)
        await publish(10)
        await withStream(own, async ({ output }) => {
          await expect
            .poll(() => output.stderr + output.stdout)
            .toMatch(
              /the topic .*renewed.* is another one than the one whose events are stored; nothing is read from it until `featuregraph stream rebuild <view>`/,
            )
          await withGateway(own, async (ask) => {
            expect((await ask()).data.customer.recent).toMatchObject({ n: 1, most: 1 })
          })
          const rebuilt = await run('stream', 'rebuild', 'recent')
          expect(rebuilt).toMatchObject({
            code: 0,
            stdout: 'recent: read from generation 2 of its tiles now\n',
          })
          expect(rebuilt.stderr).toContain('the topic "renewed" is taken as a new one from now on')
          await untilApplied(2)
          await shows(/orders +renewed@1\/0 +1 /)
          await withGateway(own, async (ask) => {
            await expect
              .poll(async () => (await ask()).data.customer.recent)
              .toMatchObject({ n: 2, most: 10, freshness: { lagSeconds: expect.any(Number) } })
          })
        })
        const runs = await run('runs', '--kind', 'rebuild')
        expect(runs.stdout).toMatch(/REBUILD +recent +SUCCEEDED/)
      },
    )
  })
}
