import { type BurstOptions, type BurstResult, type KnownAnswers, runBurst } from './burst.ts'
import { bodyOf, difference, expectedAnswer, type Operation, textNumber } from './expected.ts'
import { feastBody, feastExpected, feastPath, feastValues } from './feast-answers.ts'
import { idLists, wideCount } from './world.ts'

/** Answers of half a megabyte are to fit into the generator's memory. */
const mostVectors = 20

/** Which requests: a server, what they select, how many entities each asks for. */
export interface Target {
  readonly server: string
  readonly protocol: 'graphql' | 'feast'
  /** Of each of its processes; connections are shared out among them. */
  readonly ports: readonly number[]
  readonly operation: Operation
  readonly entities: number
}

/** What was loaded, and how much of it is asked for. */
export interface AskedWorld {
  /** When the rows were written, in microseconds. */
  readonly base: number
  readonly customers: number
  /** Distinct requests. */
  readonly bodies: number
}

type BurstOrder = Omit<BurstOptions, 'ports'>

export type LoadOrder =
  | ({ readonly kind: 'check'; readonly target: Target } & AskedWorld)
  | { readonly kind: 'burst'; readonly target: Target; readonly options: BurstOrder }

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

/** How a body is sent, and what of its answer is compared with what. */
function exchange({ protocol, operation }: Target, ids: readonly number[], base: number) {
  return protocol === 'feast'
    ? { path: feastPath, body: feastBody(ids), expected: feastExpected(ids), compared: feastValues }
    : {
        path: '/graphql',
        body: bodyOf(operation, ids),
        expected: expectedAnswer(operation, ids, base),
        compared: (answer: unknown) => answer,
      }
}

/** Asks every process for every body once by a full HTTP client and compares every value with what the world says. */
async function check(target: Target, { base, customers, bodies }: AskedWorld): Promise<number> {
  const { operation, entities, ports } = target
  const requests: Buffer[] = []
  const answers: Buffer[] = []
  const lists =
    operation === 'vectors'
      ? idLists(entities, Math.min(bodies, mostVectors), wideCount)
      : idLists(entities, bodies, customers)
  for (const ids of lists) {
    const { path, body, expected, compared } = exchange(target, ids, base)
    const request = JSON.stringify(body)
    let text = ''
    for (const port of ports) {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: operation === 'unknown' ? newText(Buffer.from(request)).toString() : request,
      })
      text = await response.text()
      const wrong = difference(compared(JSON.parse(text)), expected)
      if (wrong !== null)
        throw new Error(`HTTP ${response.status}, ${wrong}; the answer begins with ${text.slice(0, 300)}`)
    }
    requests.push(wholeRequest(path, request))
    answers.push(Buffer.from(text))
  }
  known.set(keyOf(target), { requests, answers, ...(operation === 'unknown' ? { renew: newText } : {}) })
  return answers.length
}

let texts = 0

/** The request with a text that no server has seen. */
function newText(request: Buffer): Buffer {
  texts += 1
  const renewed = Buffer.from(request)
  renewed.write(String(texts).padStart(textNumber.length - 1, '0'), renewed.indexOf(textNumber) + 1, 'latin1')
  return renewed
}

function wholeRequest(path: string, body: string): Buffer {
  const head = [
    `POST ${path} HTTP/1.1`,
    'host: 127.0.0.1',
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
  ]
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`)
}

async function burst(target: Target, options: BurstOrder): Promise<MeasuredBurst> {
  const requests = known.get(keyOf(target))
  if (!requests) throw new Error('a burst before its answers were checked')
  const before = process.cpuUsage()
  const result = await runBurst(requests, { ...options, ports: target.ports })
  const { user, system } = process.cpuUsage(before)
  return { ...result, loadCpuMicros: user + system }
}

async function obey(order: LoadOrder): Promise<LoadReport> {
  try {
    switch (order.kind) {
      case 'check':
        return { kind: 'checked', answers: await check(order.target, order) }
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
