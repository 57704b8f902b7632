import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { z } from 'zod'
import { isAlive, readPostmasterPid } from '../../src/embedded/postmaster-pid.ts'
import { type Running, startCommand } from '../cli/start-command.ts'
import { waitUntil } from '../services/wait-until.ts'

let folder: string
let serving: Running
let url: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'featuregraph-outage-'))
  await chmod(folder, 0o755)
  const settings = { DATA: join(folder, 'data'), DEMO: 'false', HOST: '127.0.0.1', PORT: '0' }
  serving = startCommand(['serve'], settings, folder)
  await waitUntil(
    () => {
      url = /answers at (http\S+)\/graphql/.exec(serving.output.stdout)?.[1] ?? ''
      return url !== ''
    },
    () => `serve answers:\n${log()}`,
  )
})

afterEach(async () => {
  serving.child.kill('SIGKILL')
  await serving.ended
  await rm(folder, { recursive: true, force: true, maxRetries: 5 })
})

const log = (): string => `${serving.output.stdout}\n${serving.output.stderr}`

const receipts = z.object({ accepted: z.boolean(), code: z.string().optional() })

/** What the answer's first line says of the line sent; null where the answer broke off. */
async function send(path: string, line: object): Promise<z.infer<typeof receipts> | null> {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: `${JSON.stringify(line)}\n`,
  }).catch(() => null)
  const [first = ''] = ((await response?.text().catch(() => '')) ?? '').split('\n')
  return first === '' ? null : receipts.parse(JSON.parse(first))
}

const answers = z.object({
  data: z.object({
    customers: z.array(
      z.object({
        customerTransactionFeatures: z.object({ freshness: z.object({ status: z.string() }) }),
        customerRealtimeFeatures: z.object({
          transactionsLastHour: z.number().nullable(),
          freshness: z.object({ status: z.string() }),
        }),
      }),
    ),
  }),
})

const query = `query($ids: [Int64!]!, $asOf: Timestamp) { customers(customerIds: $ids, asOf: $asOf) {
  customerTransactionFeatures { freshness { status } }
  customerRealtimeFeatures { transactionsLastHour freshness { status } } } }`

/** Each customer as `<status of pushed row> <status of events> <their number>`. */
async function ask(ids: readonly number[], asOf: string | null): Promise<readonly string[]> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables: { ids, asOf } }),
  })
  const { data } = answers.parse(await response.json())
  return data.customers.map(
    ({ customerTransactionFeatures: pushed, customerRealtimeFeatures: events }) =>
      `${pushed.freshness.status} ${events.freshness.status} ${events.transactionsLastHour}`,
  )
}

async function isReady(): Promise<boolean> {
  return (await fetch(`${url}/readyz`)).status === 200
}

/** What the log says of the embedded Postgres, without the first line, of its first start. */
function embeddedLines(): readonly string[] {
  const line = /"msg":"embedded Postgres: ([^"]*)"/g
  return [...log().matchAll(line)].map(([, words = '']) => words).slice(1)
}

it('answers UNAVAILABLE while its Postgres is away, then goes on with everything that was acknowledged before', async () => {
  const data = join(folder, 'data', 'postgres')
  const now = Date.now()
  const at = new Date(now - 60_000).toISOString()
  const asOf = new Date(now).toISOString()
  // The view takes rows of whole days.
  const day = `${asOf.slice(0, 10)}T00:00:00Z`
  // Postgres does not start on data that others may read, so that it stays away until the answers are looked at.
  await chmod(data, 0o777)
  const acknowledged = { events: new Set<number>(), rows: new Set<number>() }
  let next = 1
  const sendUntilRefused = async (): Promise<void> => {
    for (;;) {
      const id = next++
      const [event, row] = await Promise.all([
        send('/events/transactions', {
          ...{ transaction_id: `t-${id}`, customer_id: id, timestamp: at, amount: 1, merchant_id: 'm' },
        }),
        send('/push/customer_transaction_features', {
          ...{ customer_id: id, event_timestamp: day, total_transactions_30d: 1 },
          ...{ avg_transaction_amount_30d: 1, max_transaction_amount_30d: 1, transaction_count_7d: 1 },
        }),
      ])
      if (event?.accepted) acknowledged.events.add(id)
      if (row?.accepted) acknowledged.rows.add(id)
      if (!event?.accepted || !row?.accepted) {
        expect([event?.code ?? 'UNAVAILABLE', row?.code ?? 'UNAVAILABLE']).toContain('UNAVAILABLE')
        return
      }
    }
  }
  const sending = Promise.all([1, 2, 3, 4].map(sendUntilRefused))
  await waitUntil(
    () => acknowledged.rows.size >= 40 && acknowledged.events.size >= 40,
    () => `much is acknowledged:\n${log()}`,
  )
  const server = await readPostmasterPid(data)
  process.kill(server?.pid ?? Number.NaN, 'SIGKILL')
  await sending

  await waitUntil(async () => !(await isReady()), 'it is not ready')
  expect(await ask([1], null)).toEqual(['UNAVAILABLE UNAVAILABLE null'])
  await chmod(data, 0o700)
  await waitUntil(isReady, () => `it is ready again:\n${log()}`)
  const lines = embeddedLines()
  expect(lines.slice(0, 2)).toEqual([
    'ended unexpectedly with code 137; see postgres.log',
    'being started again in 100 ms',
  ])
  expect(lines.at(-1)).toBe(`back on port ${server?.port}`)

  const rows = [...acknowledged.rows]
  expect((await ask(rows, asOf)).filter((words) => !words.startsWith('PRESENT '))).toEqual([])
  const events = [...acknowledged.events]
  expect((await ask(events, asOf)).filter((words) => !words.endsWith(' PRESENT 1'))).toEqual([])
  // The stream has its lock again, and goes on where it was.
  await waitUntil(
    async () => (await ask(events, null)).every((words) => words.endsWith(' PRESENT 1')),
    () => `the stream has applied all events:\n${log()}`,
  )
  expect(
    (
      await send('/events/transactions', {
        transaction_id: 'last',
        customer_id: 0,
        timestamp: at,
        amount: 1,
        merchant_id: 'm',
      })
    )?.accepted,
  ).toBe(true)
  await waitUntil(
    async () => (await ask([0], null))[0]?.endsWith(' PRESENT 1') ?? false,
    'a new event is applied',
  )

  const restarted = (await readPostmasterPid(data))?.pid ?? Number.NaN
  serving.child.kill('SIGTERM')
  expect((await serving.ended).code).toBe(0)
  expect(isAlive(restarted)).toBe(false)
})
