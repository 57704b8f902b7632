import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { formatTimestamp, type Micros } from '../../src/definitions/timestamp.ts'
import { secondMicros as second } from '../../src/demo/transactions.ts'
import { type Gateway, startGateway } from '../../src/gateway/start-gateway.ts'
import { systemClock } from '../../src/gateway/system-clock.ts'
import { startCommand } from '../cli/start-command.ts'
import { newProject } from '../server/start-test-gateway.ts'
import { setDatabaseClock } from '../services/database-clock.ts'
import { type PostgresServer, startPostgres } from '../services/postgres.ts'
import { waitUntil } from '../services/wait-until.ts'
import { type DemoEvents, demoEvents, idsSent, type LastHour } from './demo-events.ts'

const isLong = process.env['FEATUREGRAPH_TEST_LONG'] === '1'
const project = newProject()
const hour: Micros = 3_600 * second
const customers = Array.from({ length: 1_000 }, (_, index) => 1_001 + index)

let postgres: PostgresServer
let url: string
let events: DemoEvents
let home: string
let gateway: Gateway
/** The clock of the gateways in this process. By the machine's they look every second for what is to be sent. */
let now: Micros
const logLines: string[] = []

const settings = () => ({
  OFFLINE_URL: url,
  ONLINE_URL: inject('redisUrl'),
  PROJECT: project,
  DEMO: 'true',
  WORKER: 'true',
  PORT: '0',
  ONLINE_TIMEOUT_MS: '60000',
})

function startDemo(): Promise<Gateway> {
  const given = Object.entries(settings()).map(([name, value]) => [`FEATUREGRAPH_${name}`, value])
  const log = pino({ level: 'info' }, { write: (line: string) => logLines.push(line) })
  return startGateway(readConfig(Object.fromEntries(given)), { log, clock: () => now })
}

beforeAll(async () => {
  ;[postgres, home] = await Promise.all([startPostgres(), mkdtemp(join(tmpdir(), 'featuregraph-demo-'))])
  url = await postgres.createDatabase()
  events = demoEvents(url, project)
})
afterAll(async () => {
  await gateway?.close()
  await postgres?.stop()
  await rm(home, { recursive: true, force: true })
})

const isSent = (id: string): boolean => /^\d{10}-\d$/.test(id)

async function realtime(asOf: Micros | null): Promise<readonly LastHour[]> {
  const query = `query ($ids: [Int64!]!, $asOf: Timestamp) { customers(customerIds: $ids, asOf: $asOf) {
    customerRealtimeFeatures { transactionsLastHour amountLastHour freshness { status } } } }`
  const variables = { ids: customers, ...(asOf === null ? {} : { asOf: formatTimestamp(asOf) }) }
  const response = await gateway.app.inject({
    method: 'POST',
    url: '/graphql',
    payload: { query, variables },
  })
  const { data } = response.json() as {
    data: { customers: { customerRealtimeFeatures: LastHour }[] }
  }
  return data.customers.map(({ customerRealtimeFeatures }) => customerRealtimeFeatures)
}

/** Online as soon as it is applied, and as of now: what the stored events say. */
async function bothClocksAgree(): Promise<void> {
  const truth = await events.lastHours(customers, now)
  await expect.poll(() => realtime(null), { interval: 100 }).toEqual(truth)
  expect(await realtime(now)).toEqual(truth)
}

describe("the demo's generator, killed", () => {
  it('counts every transaction once, and none is lacking, whenever the gateway is killed', async () => {
    const own = { ...settings(), LOG_LEVEL: 'error' }
    const made = async (): Promise<number> => {
      const [mark] = await events.rows<{ until: string }>(
        'select extract(epoch from seeded_until)::bigint::text as until from featuregraph.demo_projects where project = $1',
        [project],
      )
      return Number(mark?.until ?? Number.NaN)
    }
    const kills = [
      [2, 300],
      [3, 100],
      [1, 700],
    ] as const
    for (const [seconds, pauseMs] of isLong ? kills : kills.slice(0, 1)) {
      const { child, output, ended } = startCommand(['serve'], own, home)
      await expect.poll(() => output.stdout).toContain('featuregraph answers at')
      const before = await made()
      await waitUntil(async () => (await made()) >= before + seconds, `${seconds} s are sent`)
      // Somewhere between two sends, or in one.
      await sleep(pauseMs)
      child.kill('SIGKILL')
      await ended
    }
    const counted = await events.rows<{ id: string }>(
      `select distinct event_id as id from events_${project}.transactions
       where event_id ~ '^[0-9]{10}-[0-9]$' order by 1`,
    )
    const until = (await made()) * second
    const from = Number(counted[0]?.id.slice(0, 10)) * second
    const sent = idsSent(from, until)
    expect(sent.length).toBeGreaterThan(isLong ? 15 : 3)
    // What was stored and not marked yet may follow.
    expect(counted.map(({ id }) => id).slice(0, sent.length)).toEqual(sent)
    const history = await events.rows<{ last: string }>(
      `select max(event_timestamp)::text as last, count(*) - count(distinct event_id) as twice
       from events_${project}.transactions where event_id !~ '^[0-9]{10}-[0-9]$'`,
    )
    expect(Date.parse(history[0]?.last ?? '') * 1_000).toBeLessThan(from)
    expect(history).toMatchObject([{ twice: '0' }])
  })
})

describe("the demo's generator", () => {
  let firstStart: Micros
  beforeAll(async () => {
    // Behind what processes by the machine's clock have sent.
    firstStart = Math.ceil(systemClock() / second) * second
    now = firstStart
    gateway = await startDemo()
    await events.untilMade(now)
  })

  it('sends every second its transactions, which both clocks show', async () => {
    const before = (await realtime(null))[0]?.transactionsLastHour ?? 0
    now += 20 * second
    await events.untilMade(now)
    expect(await events.idsIn(firstStart, now)).toEqual(idsSent(firstStart, now))
    await bothClocksAgree()
    expect((await realtime(null))[0]?.transactionsLastHour).toBeGreaterThan(before + 5)
  })

  it('sends a second once, of however many gateways', async () => {
    const others = [await startDemo(), await startDemo()]
    try {
      for (let step = 0; step < 4; step += 1) {
        now += 5 * second
        await events.untilMade(now)
      }
    } finally {
      for (const other of others) await other.close()
    }
    expect(await events.idsIn(firstStart, now)).toEqual(idsSent(firstStart, now))
  })

  it('sends again what was interrupted, and it counts once', async () => {
    await bothClocksAgree()
    await events.rows(
      `update featuregraph.demo_projects set seeded_until = seeded_until - interval '20 seconds' where project = $1`,
      [project],
    )
    await events.untilMade(now)
    const kept = await events.idsIn(now - 20 * second, now)
    expect(kept).toHaveLength(2 * 3 * 20)
    expect([...new Set(kept)]).toEqual(idsSent(now - 20 * second, now))
    await bothClocksAgree()
  })

  it('waits while Postgres is away, tells so once, and goes on where it was', async () => {
    const from = now
    const told = (line: string): number => logLines.filter((one) => one.includes(line)).length
    await postgres.kill()
    now += 3 * second
    await expect.poll(() => told('the demo could not be continued')).toBe(1)
    now += 3 * second
    await postgres.restart()
    await events.untilMade(now)
    expect([...new Set(await events.idsIn(from, now))]).toEqual(idsSent(from, now))
    await expect.poll(() => told('the demo goes on')).toBe(1)
    expect(told('the demo could not be continued')).toBe(1)
    await bothClocksAgree()
  })

  it('leaves a pause of hours to the history, up to the moment that it begins again', async () => {
    const stopped = now
    await gateway.close()
    now += 30 * hour
    await setDatabaseClock(url, now)
    gateway = await startDemo()
    await events.untilMade(now)
    const between = await events.idsIn(stopped, now)
    expect(between.length).toBeGreaterThan(1_000)
    expect(between.filter(isSent)).toEqual([])
    expect(new Set(between).size).toBe(between.length)
    const resumed = now
    now += 5 * second
    await setDatabaseClock(url, now)
    await events.untilMade(now)
    expect(await events.idsIn(resumed, now)).toEqual(idsSent(resumed, now))
    await bothClocksAgree()
  })
})
