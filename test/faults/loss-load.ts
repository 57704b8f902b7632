import { setTimeout as sleep } from 'node:timers/promises'
import type { TestGateway } from '../server/start-test-gateway.ts'
import { waitUntil } from '../services/wait-until.ts'
import { between, type Random } from './random.ts'

/** What callers saw. */
interface LossCounts {
  answered: number
  refused: number
  /** Refused reads by reason. */
  readonly reasons: Map<string, number>
  /** Answers that no order of what was acknowledged explains. */
  readonly wrong: string[]
}

/** Writers and readers of many customers, at several gateways, until they are stopped. */
export interface LossLoad {
  readonly counts: LossCounts
  /** Rejects as soon as a read or a write fails otherwise than by being refused. */
  readonly failed: Promise<never>
  /** How long after `since` (as `performance.now()`) reads were answered in full again; null: not yet. */
  readonly answeredAfterMs: (since: number) => number | null
  /** Ends the load; resolves when every view is answered, and equals what the offline store says of now. */
  readonly settle: () => Promise<void>
}

interface Seen {
  /** Counts up with every push. */
  pushed: number
  /** The last push that was acknowledged as WRITTEN, or what a read has shown since. */
  score: number
  posted: number
  n: number
}

const keysAtOnce = 20
const query = `query Read($ids: [Int64!]!, $asOf: Timestamp) {
  customers(customerIds: $ids, asOf: $asOf) {
    customerId
    profile { score freshness { status reason source } }
    recent { n freshness { status reason source } }
  }
}`

interface ReadView {
  readonly score?: number | null
  readonly n?: number | null
  readonly freshness: { readonly status: string; readonly reason: string | null; readonly source: string }
}
interface ReadCustomer {
  readonly customerId: number
  readonly profile: ReadView
  readonly recent: ReadView
}

export function startLossLoad(
  gateways: readonly TestGateway[],
  { customers, random }: { readonly customers: number; readonly random: Random },
): LossLoad {
  const counts: LossCounts = { answered: 0, refused: 0, reasons: new Map(), wrong: [] }
  const seen = new Map<number, Seen>()
  const seenOf = (id: number): Seen => {
    const found = seen.get(id) ?? { pushed: 0, score: 0, posted: 0, n: 0 }
    seen.set(id, found)
    return found
  }
  let stopping = false
  let lastRefused = 0
  let firstInFull = 0
  let lastInFull = 0
  const anyone = (): TestGateway => gateways[between(random, 0, gateways.length - 1)] as TestGateway
  const post = async (path: string, body: unknown): Promise<readonly Record<string, unknown>[]> => {
    const response = await fetch(`${anyone().url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: `${JSON.stringify(body)}\n`,
    })
    const lines = (await response.text()).trim().split('\n')
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  }

  async function push(id: number): Promise<void> {
    const own = seenOf(id)
    own.pushed += 1
    const score = own.pushed
    const row = { customer_id: id, event_timestamp: new Date().toISOString(), score }
    const [outcome] = await post('/push/profile', row)
    if (outcome?.['online'] === 'WRITTEN') own.score = Math.max(own.score, score)
  }

  async function send(id: number): Promise<void> {
    const own = seenOf(id)
    own.posted += 1
    await post('/events/payments', { customer_id: id, at: new Date().toISOString() })
  }

  function check(id: number, view: 'profile' | 'recent', read: ReadView, least: number): boolean {
    const own = seenOf(id)
    const { status, reason } = read.freshness
    if (status === 'UNAVAILABLE') {
      counts.refused += 1
      counts.reasons.set(`${view} ${reason}`, (counts.reasons.get(`${view} ${reason}`) ?? 0) + 1)
      return false
    }
    counts.answered += 1
    const value = (view === 'profile' ? read.score : read.n) ?? 0
    const most = view === 'profile' ? own.pushed : own.posted
    if (value < least || value > most)
      counts.wrong.push(`${view} of ${id}: ${value} (${status}), expected ${least} to ${most}`)
    // The offline store may know of more than was written online yet.
    if (read.freshness.source === 'OFFLINE') return true
    if (view === 'profile') own.score = Math.max(own.score, value)
    else own.n = Math.max(own.n, value)
    return true
  }

  async function read(gateway: TestGateway): Promise<void> {
    const ids = Array.from({ length: keysAtOnce }, () => between(random, 1, customers))
    // Before the question: what is acknowledged later may or may not be in the answer.
    const least = ids.map((id) => ({ score: seenOf(id).score, n: seenOf(id).n }))
    const { data, text } = await gateway.ask(query, { ids })
    if (data === null) throw new Error(`expected rows, each with a status; got ${text}`)
    let isInFull = true
    ;(data.customers as readonly ReadCustomer[]).forEach(({ customerId, profile, recent }, index) => {
      const isAnswered = [
        check(customerId, 'profile', profile, least[index]?.score ?? 0),
        check(customerId, 'recent', recent, least[index]?.n ?? 0),
      ]
      isInFull &&= !isAnswered.includes(false)
    })
    if (!isInFull) lastRefused = performance.now()
    else {
      lastInFull = performance.now()
      if (firstInFull <= lastRefused) firstInFull = lastInFull
    }
  }

  /** A store that is away fails a write; what it was is not known then. */
  const repeatedly = async (work: () => Promise<void>): Promise<void> => {
    while (!stopping) {
      await work()
      await sleep(between(random, 0, 5))
    }
  }
  const running = Promise.all([
    ...gateways.map((gateway) => repeatedly(() => read(gateway))),
    repeatedly(() => push(between(random, 1, customers))),
    repeatedly(() => send(between(random, 1, customers))),
  ])

  const failed = running.then(() => new Promise<never>(() => {}))
  // Nobody may be waiting for it at the time.
  failed.catch(() => {})

  return {
    counts,
    failed,
    answeredAfterMs: (since) =>
      lastInFull > since && lastInFull > lastRefused ? Math.max(0, firstInFull - since) : null,
    async settle() {
      stopping = true
      await running
      const ids = Array.from({ length: customers }, (_, index) => index + 1)
      const values = (answer: readonly ReadCustomer[]) =>
        answer.map(({ customerId, profile, recent }) => [customerId, profile.score, recent.n])
      for (const gateway of gateways) {
        await waitUntil(async () => {
          const online = (await gateway.ask(query, { ids })).data.customers as readonly ReadCustomer[]
          const all = online.flatMap(({ profile, recent }) => [profile, recent])
          if (all.some(({ freshness }) => freshness.status === 'UNAVAILABLE')) return false
          const asOf = new Date().toISOString()
          const offline = (await gateway.ask(query, { ids, asOf })).data.customers as readonly ReadCustomer[]
          return JSON.stringify(values(online)) === JSON.stringify(values(offline))
        }, 'both clocks agree on every customer')
      }
    },
  }
}
