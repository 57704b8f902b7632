import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { readConfig } from '../../src/config/read-config.ts'
import { formatTimestamp, type Micros } from '../../src/definitions/timestamp.ts'
import { secondMicros } from '../../src/demo/transactions.ts'
import { type Gateway, startGateway } from '../../src/gateway/start-gateway.ts'
import { type Running, startCommand } from '../cli/start-command.ts'
import { newProject } from '../server/start-test-gateway.ts'
import { kafkaOrSkip } from '../services/kafka.ts'
import { isLong } from '../services/long-run.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { waitUntil } from '../services/wait-until.ts'
import { demoEvents, idsSent, isSent } from './demo-events.ts'

const kafka = await kafkaOrSkip()

if (kafka === null) it.skip('the demo over a real Kafka: none can be had here, see CONTRIBUTING.md')
else {
  let database: TestDatabase
  let home: string
  let gateway: Gateway
  let stream: Running
  const project = newProject()
  beforeAll(async () => {
    ;[database, home] = await Promise.all([
      createTestDatabase(),
      mkdtemp(join(tmpdir(), 'featuregraph-demo-')),
      kafka.createTopic('transactions', 3),
    ])
    const settings = {
      OFFLINE_URL: database.url,
      ONLINE_URL: inject('redisUrl'),
      STREAM_URL: `kafka://${kafka.bootstrap}`,
      PROJECT: project,
      DEMO: 'true',
      PORT: '0',
      ONLINE_TIMEOUT_MS: '60000',
      LOG_LEVEL: 'error',
    }
    const given = Object.entries(settings).map(([name, value]) => [`FEATUREGRAPH_${name}`, value])
    gateway = await startGateway(readConfig(Object.fromEntries(given)), { log: pino({ level: 'silent' }) })
    stream = startCommand(['stream'], settings, home)
  })
  afterAll(async () => {
    stream?.child.kill('SIGTERM')
    await stream?.ended
    await gateway?.close()
    await Promise.all([database?.drop(), rm(home, { recursive: true, force: true })])
  })

  /** So much that some is sent, and less than what would be imported. */
  const backSeconds = 200

  const ask = async (asOf: string | null) => {
    const time = asOf === null ? '' : `, asOf: "${asOf}", knownAt: "${asOf}"`
    const selection = `customerRealtimeFeatures { transactionsLastHour amountLastHour freshness { eventTimestamp } }`
    const query = `{ customer(customerId: 1001${time}) { ${selection} } }`
    const response = await gateway.app.inject({ method: 'POST', url: '/graphql', payload: { query } })
    return response.json().data.customer.customerRealtimeFeatures
  }

  describe('the demo over Kafka', () => {
    it('sends to the topic, from where featuregraph stream keeps every transaction once, in the long run also after the broker was away', async () => {
      const events = demoEvents(database.url, project)
      const made = async () => {
        const [mark] = await events.rows<{ until: string }>(
          'select extract(epoch from seeded_until)::bigint::text as until from featuregraph.demo_projects where project = $1',
          [project],
        )
        return Number(mark?.until) * secondMicros
      }
      // On a busy machine it may still catch up with its start, by an import: what was made then was not sent.
      await waitUntil(
        async () => Date.now() * 1_000 - (await made()) < 30 * secondMicros,
        'the demo has made all but the last seconds',
      )
      const from = await events.setBack(backSeconds)
      const begun = from + backSeconds * secondMicros
      // Beside what the history has of these minutes.
      const sentUpTo = async (to: Micros) => {
        const stored = async () => [...new Set((await events.idsIn(from, to)).filter(isSent))]
        await expect.poll(stored).toEqual(idsSent(from, to))
      }
      await sentUpTo(begun)
      if (isLong) {
        await kafka.kill()
        await events.setBack(backSeconds)
        // The generator retries meanwhile what it could not send.
        await waitUntil(() => Date.now() * 1_000 > begun + 3 * secondMicros, 'three seconds are to be sent')
        await kafka.restart()
        await sentUpTo(begun + 8 * secondMicros)
      }

      const sources = await events.rows<{ topic: string }>(
        `select distinct topic from events_${project}.transactions as e
         join featuregraph.event_topics as t on t.id = e.topic_id where topic not like 'file:%'`,
      )
      expect(sources).toEqual([{ topic: 'transactions' }])
      // It goes on meanwhile: the clocks agree whenever nothing is on its way.
      const agree = async () => {
        const online = await ask(null)
        const offline = await ask(formatTimestamp(Date.now() * 1_000))
        return isDeepStrictEqual(online, offline) && online.transactionsLastHour > 0
      }
      await expect.poll(agree, { interval: 50 }).toBe(true)
    })
  })
}
