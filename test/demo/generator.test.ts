import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { readConfig } from '../../src/config/read-config.ts'
import { formatTimestamp, type Micros } from '../../src/definitions/timestamp.ts'
import { thingsToTry } from '../../src/demo/things-to-try.ts'
import { secondMicros as second } from '../../src/demo/transactions.ts'
import { type Gateway, startGateway } from '../../src/gateway/start-gateway.ts'
import { systemClock } from '../../src/gateway/system-clock.ts'
import { startCommand } from '../cli/start-command.ts'
import { newProject } from '../server/start-test-gateway.ts'
import { setDatabaseClock } from '../services/database-clock.ts'
import { isLong } from '../services/long-run.ts'
import { type PostgresServer, startPostgres } from '../services/postgres.ts'
import { waitUntil } from '../services/wait-until.ts'
import { type DemoEvents, demoEvents, idsSent, isSent, type LastHour } from './demo-events.ts'

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

async function tryWhatIsPrinted(printed: string): Promise<void> {
  const lines = printed.match(/curl .*/g) ?? []
  expect(lines).toHaveLength(2)
  for (const line of lines) {
    const { stdout } = await promisify(execFile)('sh', ['-c', line])
    const { customerRealtimeFeatures } = JSON.parse(stdout).data.customer
    expect(customerRealtimeFeatures.transactionsLastHour).toBeGreaterThan(10)
  }
}

/** So much that some is sent, and less than what would be imported. */
const backSeconds = 240

// In the suite: below, what was interrupted is sent again and counts once.
describe.runIf(isLong)("the demo's generator, killed", () => {
  it('counts every transaction once, and none is lacking, whenever the gateway is killed; what it prints to try can be run', async () => {
    const made = async (): Promise<number> => {
      const [mark] = await events.rows<{ until: string }>(
        'select extract(epoch from seeded_until)::bigint::text as until from featuregraph.demo_projects where project = $1',
        [project],
      )
      return Number(mark?.until ?? Number.NaN)
    }
    let begun: Micros | null = null
    let from: Micros | null = null
    for (const pauseMs of [300, 100, 700]) {
      const { child, output, ended } = startCommand(['serve'], { ...settings(), LOG_LEVEL: 'error' }, home)
      try {
        await expect.poll(() => output.stdout).toContain('featuregraph answers at')
        const before = await made()
        if (begun === null) await tryWhatIsPrinted(output.stdout)
        begun ??= before * second
        await waitUntil(async () => (await made()) > before, 'a second is sent')
        const back = await events.setBack(backSeconds)
        from ??= back
        // Somewhere before the next send, or in it.
        await sleep(pauseMs)
      } finally {
        child.kill('SIGKILL')
        await ended
      }
    }
    if (begun === null || from === null) throw new Error('nothing was started')
    now = Math.floor(systemClock() / second) * second
    gateway = await startDemo()
    await events.untilMade(now)
    await gateway.close()
    const sent = idsSent(from, (await made()) * second)
    expect(sent.length).toBeGreaterThan(0)
    const counted = (await events.idsIn(from, systemClock())).filter(isSent)
    // What was stored and not marked yet may follow.
    expect([...new Set(counted)].slice(0, sent.length)).toEqual(sent)
    const history = await events.rows<{ last: string }>(
      `select max(event_timestamp)::text as last, count(*) - count(distinct event_id) as twice
       from events_${project}.transactions where event_id !~ '^[0-9]{10}-[0-9]$'`,
    )
    expect(Date.parse(history[0]?.last ?? '') * 1_000).toBeLessThan(begun)
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
    // All of the demo's history is written first.
  }, 1_800_000)

  /** Not by more than what is sent: a longer span would be imported. */
  async function goOnBy(span: Micros): Promise<void> {
    now += span
    await setDatabaseClock(url, now)
    await events.untilMade(now)
  }

  it('sends every second its transactions, which both clocks show', async () => {
    for (let step = 0; step < 3; step += 1) {
      await goOnBy(280 * second)
    }
    const sent = idsSent(firstStart, now)
    expect(sent.length).toBeGreaterThan(5)
    expect(await events.idsIn(firstStart, now)).toEqual(sent)
    await bothClocksAgree()
  })

  it('has lines to try that run as they are printed', async () => {
    await tryWhatIsPrinted(thingsToTry(gateway.url, now).join('\n'))
  })

  it('sends a second once, of however many gateways', async () => {
    const others = [await startDemo(), await startDemo()]
    try {
      for (let step = 0; step < 4; step += 1) {
        await goOnBy(120 * second)
      }
    } finally {
      for (const other of others) await other.close()
    }
    expect(await events.idsIn(firstStart, now)).toEqual(idsSent(firstStart, now))
  })

  it('sends again what was interrupted, and it counts once', async () => {
    await bothClocksAgree()
    await events.setBack(backSeconds)
    await events.untilMade(now)
    const stored = await events.idsIn(now - backSeconds * second, now)
    const sent = idsSent(now - backSeconds * second, now)
    expect(stored).toEqual(sent.flatMap((id) => [id, id]))
    await bothClocksAgree()
  })

  it('waits while Postgres is away, logs it once, and goes on where it was', async () => {
    const from = now
    const logged = (line: string): number => logLines.filter((one) => one.includes(line)).length
    await postgres.kill()
    now += 120 * second
    await expect.poll(() => logged('the demo could not be continued')).toBe(1)
    now += 120 * second
    await postgres.restart()
    await setDatabaseClock(url, now)
    await events.untilMade(now)
    expect([...new Set(await events.idsIn(from, now))]).toEqual(idsSent(from, now))
    await expect.poll(() => logged('the demo goes on')).toBe(1)
    expect(logged('the demo could not be continued')).toBe(1)
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
    await goOnBy(280 * second)
    expect(await events.idsIn(resumed, now)).toEqual(idsSent(resumed, now))
    await bothClocksAgree()
  })
})
