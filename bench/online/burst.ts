import { connect, type Socket } from 'node:net'

/** Requests ready to be sent and the bytes that each must be answered with. */
export interface KnownAnswers {
  readonly requests: readonly Buffer[]
  readonly answers: readonly Buffer[]
  /** Makes of a request the one that is sent; default: it is sent as it is. */
  readonly renew?: (request: Buffer) => Buffer
}

export interface BurstOptions {
  /** Connections take them in turn. */
  readonly ports: readonly number[]
  readonly connections: number
  readonly seconds: number
  /** Of all connections, where they are not to ask as fast as they can; a late answer counts from when its request was due. */
  readonly requestsPerSecond?: number
}

export interface BurstResult {
  readonly requests: number
  /** From the first request to the last answer. */
  readonly seconds: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** A hundred answers of half a megabyte take their time on a busy machine. */
const patienceMs = 60_000

/**
 * A closed loop over raw sockets: each connection has one request outstanding, for `seconds`, then all answers are
 * waited for. Every answer is compared byte by byte as it arrives, without being put together.
 * @throws Error on the first wrong answer or broken connection.
 */
export async function runBurst(known: KnownAnswers, options: BurstOptions): Promise<BurstResult> {
  const latencies: number[] = []
  let turn = 0
  const clients = await Promise.all(
    Array.from({ length: options.connections }, (_, index) =>
      openClient(known, options.ports[index % options.ports.length] ?? 0),
    ),
  )
  const started = performance.now()
  const until = started + options.seconds * 1_000
  const pauseMs = options.requestsPerSecond ? (options.connections / options.requestsPerSecond) * 1_000 : 0

  /** Asks one after the other until the time is up. */
  function work(client: Client): Promise<void> {
    return new Promise((resolve, reject) => {
      let sentAt = started
      let dueAt = started + Math.random() * pauseMs
      function ask(): void {
        client.ask(turn)
        turn = (turn + 1) % known.requests.length
      }
      function next(now: number): void {
        if (now >= until || dueAt >= until) resolve()
        else if (pauseMs === 0) {
          sentAt = now
          ask()
        } else if (dueAt <= now) {
          sentAt = dueAt
          dueAt += pauseMs
          ask()
        } else
          setTimeout(() => {
            sentAt = performance.now()
            dueAt += pauseMs
            ask()
          }, dueAt - now)
      }
      client.on = {
        answered() {
          const now = performance.now()
          latencies.push(now - sentAt)
          next(now)
        },
        failed: reject,
      }
      next(started)
    })
  }

  // An answer that is shorter than the one that was checked never ends.
  const patience = setTimeout(
    () => {
      for (const client of clients)
        client.on.failed(new Error(`an answer did not end within ${patienceMs} ms`))
    },
    options.seconds * 1_000 + patienceMs,
  )
  try {
    await Promise.all(clients.map(work))
  } finally {
    clearTimeout(patience)
    for (const client of clients) client.close()
  }
  const seconds = (performance.now() - started) / 1_000
  const sorted = Float64Array.from(latencies).sort()
  const quantile = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN
  return { requests: sorted.length, seconds, p50Ms: quantile(0.5), p99Ms: quantile(0.99) }
}

interface Listener {
  readonly answered: () => void
  readonly failed: (error: Error) => void
}

interface Client {
  on: Listener
  readonly ask: (index: number) => void
  readonly close: () => void
}

const headEnd = Buffer.from('\r\n\r\n')
const statusOk = Buffer.from('HTTP/1.1 200 ')

async function openClient(known: KnownAnswers, port: number): Promise<Client> {
  let answer: Buffer = Buffer.alloc(0)
  /** Bytes of the body that came; -1 while the head is awaited. */
  let received = -1
  /** The beginning of a head that came in pieces. */
  let head: Buffer = Buffer.alloc(0)
  let socket: Socket

  const client: Client = {
    on: { answered() {}, failed() {} },
    ask(index) {
      answer = known.answers[index] ?? answer
      received = -1
      const request = known.requests[index] ?? Buffer.alloc(0)
      socket.write(known.renew?.(request) ?? request)
    },
    close: () => socket.destroy(),
  }

  /** Heads are only looked at for their status and their end: the body's length is known. */
  function onData(size: number, data: Buffer): void {
    let start = 0
    if (received === -1) {
      const part = head.length === 0 ? data.subarray(0, size) : Buffer.concat([head, data.subarray(0, size)])
      const end = part.indexOf(headEnd)
      if (end === -1) {
        head = Buffer.from(part)
        return
      }
      if (part.compare(statusOk, 0, statusOk.length, 0, statusOk.length) !== 0) {
        client.on.failed(new Error(`expected HTTP status 200, got\n${part.toString()}`))
        return
      }
      start = end + headEnd.length - head.length
      head = Buffer.alloc(0)
      received = 0
    }
    const until = received + size - start
    if (until > answer.length || data.compare(answer, received, until, start, size) !== 0) {
      const came = data.toString('utf8', start, Math.min(size, start + 300))
      client.on.failed(new Error(`an answer is not the one that was checked; from byte ${received}: ${came}`))
      return
    }
    received = until
    if (received === answer.length) client.on.answered()
  }

  return await new Promise((resolve, reject) => {
    const onread = {
      buffer: Buffer.allocUnsafe(65_536),
      callback: (size: number, data: Uint8Array): boolean => {
        onData(size, data as Buffer)
        return true
      },
    }
    socket = connect({ port, host: '127.0.0.1', noDelay: true, onread })
    socket.once('connect', () => resolve(client))
    socket.on('error', (error) => {
      reject(error)
      client.on.failed(error)
    })
    socket.on('close', () => client.on.failed(new Error('the server closed the connection')))
  })
}
