import { type Body, noteBody, onlineBody, spineBody, wideBody } from './world.ts'

/** Callers in a process of their own, each with one request at a time, so that what they do costs the others no time. */
export type CallerKind = 'spine' | 'wide' | 'note' | 'largeNote' | 'online' | 'online100' | 'health'

export interface CallersOrder {
  readonly kind: CallerKind
  readonly port: number
  /** One caller each. */
  readonly keys: readonly string[]
  readonly seconds: number
  readonly base: number
}

export interface CallersReport {
  /** Answers by HTTP status and code of their first error. */
  readonly answers: Readonly<Record<string, number>>
  /** Of answers without errors. */
  readonly rows: number
  readonly seconds: number
  readonly p99Ms: number
  readonly worstMs: number
}

const spineRows = 1_000

const bodies: Readonly<
  Record<Exclude<CallerKind, 'health'>, (turn: number, base: number) => [Body, rows: number]>
> = {
  spine: (turn, base) => [spineBody(turn, spineRows, base), spineRows],
  wide: () => [wideBody, 1_000],
  note: () => [noteBody(300), 0],
  largeNote: () => [noteBody(30), 30],
  online: (turn) => [onlineBody(turn, 10), 10],
  online100: (turn) => [onlineBody(turn, 100), 100],
}

async function call(
  { kind, port, base }: CallersOrder,
  key: string,
  turn: number,
): Promise<[string, number]> {
  const address = `http://127.0.0.1:${port}`
  if (kind === 'health') {
    const response = await fetch(`${address}/healthz`)
    await response.arrayBuffer()
    return [String(response.status), 0]
  }
  const [body, rows] = bodies[kind](turn, base)
  const response = await fetch(`${address}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify(body),
  })
  const text = await response.text()
  const code = text.includes('"errors":[') ? (/"code":"([A-Z_]+)"/.exec(text)?.[1] ?? '?') : 'ok'
  return [`${response.status} ${code}`, code === 'ok' ? rows : 0]
}

async function run(order: CallersOrder): Promise<CallersReport> {
  const started = performance.now()
  const until = started + order.seconds * 1_000
  const answers: Record<string, number> = {}
  const times: number[] = []
  let rows = 0
  await Promise.all(
    order.keys.map(async (key, caller) => {
      for (let turn = caller * 1_000; performance.now() < until; turn += 1) {
        const begun = performance.now()
        const [what, came] = await call(order, key, turn)
        times.push(performance.now() - begun)
        answers[what] = (answers[what] ?? 0) + 1
        rows += came
        // Polls come from a prober, and who is refused does not ask again at once.
        if (order.kind === 'health' || !what.startsWith('200'))
          await new Promise((next) => setTimeout(next, 20))
      }
    }),
  )
  times.sort((one, other) => one - other)
  const quantile = (share: number): number => times[Math.floor(share * (times.length - 1))] ?? Number.NaN
  const seconds = (performance.now() - started) / 1_000
  return { answers, rows, seconds, p99Ms: quantile(0.99), worstMs: quantile(1) }
}

process.on('message', (order: CallersOrder) => {
  run(order).then(
    (report) => process.send?.(report),
    (error: unknown) => process.send?.({ failed: String(error) }),
  )
})
process.on('disconnect', () => process.exit(0))
