import { type BurstOptions, type BurstResult, type KnownAnswers, runBurst } from './burst.ts'
import { difference, expectedAnswer, type Operation, queryOf } from './expected.ts'
import { idLists } from './world.ts'

/** Distinct bodies per size. */
const bodyCount = 300

/** Which requests: a server, what they select, how many entities each asks for. */
export interface Target {
  readonly server: string
  readonly port: number
  readonly operation: Operation
  readonly entities: number
}

export type LoadOrder =
  | { readonly kind: 'check'; readonly target: Target; readonly base: number }
  | { readonly kind: 'burst'; readonly target: Target; readonly options: Omit<BurstOptions, 'port'> }

export interface MeasuredBurst extends BurstResult {
  /** What the generator itself used. */
  readonly loadCpuMicros: number
}

export type LoadReport =
  | { readonly kind: 'checked'; readonly answers: number }
  | { readonly kind: 'burst'; readonly burst: MeasuredBurst }
  | { readonly kind: 'failed'; readonly message: string }

const known = new Map<string, KnownAnswers>()

function keyOf({ server, operation, entities }: Target): string {
  return `${server} ${operation} ${entities}`
}

/** Asks every body once by a full HTTP client and compares every value with what the world says. */
async function check(target: Target, base: number): Promise<number> {
  const query = queryOf(target.operation)
  const requests: Buffer[] = []
  const answers: Buffer[] = []
  for (const ids of idLists(target.entities, bodyCount)) {
    const body = JSON.stringify({ query, variables: { ids } })
    const response = await fetch(`http://127.0.0.1:${target.port}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    })
    const text = await response.text()
    const wrong = difference(JSON.parse(text), expectedAnswer(target.operation, ids, base))
    if (wrong !== null) throw new Error(`HTTP ${response.status}, ${wrong}`)
    requests.push(wholeRequest(target.port, body))
    answers.push(Buffer.from(text))
  }
  known.set(keyOf(target), { requests, answers })
  return answers.length
}

function wholeRequest(port: number, body: string): Buffer {
  const head = [
    'POST /graphql HTTP/1.1',
    `host: 127.0.0.1:${port}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
  ]
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`)
}

async function burst(target: Target, options: Omit<BurstOptions, 'port'>): Promise<MeasuredBurst> {
  const requests = known.get(keyOf(target))
  if (!requests) throw new Error('a burst before its answers were checked')
  const before = process.cpuUsage()
  const result = await runBurst(requests, { ...options, port: target.port })
  const { user, system } = process.cpuUsage(before)
  return { ...result, loadCpuMicros: user + system }
}

async function obey(order: LoadOrder): Promise<LoadReport> {
  try {
    switch (order.kind) {
      case 'check':
        return { kind: 'checked', answers: await check(order.target, order.base) }
      case 'burst':
        return { kind: 'burst', burst: await burst(order.target, order.options) }
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return { kind: 'failed', message: `${keyOf(order.target)}: ${reason}` }
  }
}

// One order at a time, from the process that started this one; it ends with that.
process.on('message', async (order) => {
  const report = await obey(order as LoadOrder)
  process.send?.(report)
})
process.on('disconnect', () => process.exit())
