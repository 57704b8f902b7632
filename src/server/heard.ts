import type { Readable } from 'node:stream'

export interface LeastRate {
  /** Of waiting for the sender; what the gateway takes for itself does not count. */
  readonly windowMs: number
  /** Of a window: a sender of fewer is given up. */
  readonly bytes: number
}

/** 16 bytes a second: an event every ten seconds, say; who drips a byte now and then holds a connection for nothing. */
const leastRate: LeastRate = { windowMs: 30_000, bytes: 480 }

/** The body's chunks, as long as its sender sends enough. Time is counted while the next one is waited for, and only then. */
export async function* heard(body: Readable, least: LeastRate = leastRate): AsyncGenerator<Buffer> {
  const chunks: AsyncIterator<Buffer> = body[Symbol.asyncIterator]()
  let [waitedMs, bytes] = [0, 0]
  const giveUp = (): void => {
    body.destroy(new Error(`the sender sent less than ${least.bytes} bytes in ${least.windowMs} ms`))
  }
  try {
    for (;;) {
      const limit = setTimeout(giveUp, least.windowMs - waitedMs)
      const since = performance.now()
      const next = await chunks.next().finally(() => clearTimeout(limit))
      if (next.done) return
      waitedMs += performance.now() - since
      bytes += next.value.length
      if (bytes >= least.bytes) [waitedMs, bytes] = [0, 0]
      else if (waitedMs >= least.windowMs) giveUp()
      yield next.value
    }
  } finally {
    await chunks.return?.()
  }
}
