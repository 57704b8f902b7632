import { StoreFailed } from '../errors.ts'

const retryAfterMs = [100, 400, 1_600, 3_200]

export type Sleep = (ms: number) => Promise<unknown>

/**
 * Tries again a few times, with growing pauses, what a store that comes back soon would have done.
 * @throws what `giveUp` makes of the last failure; at once whatever is no StoreFailed.
 */
export async function retryStore<Result>(
  sleep: Sleep,
  attempt: () => Promise<Result>,
  giveUp: (tries: number, cause: StoreFailed) => Error,
): Promise<Result> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await attempt()
    } catch (cause) {
      if (!(cause instanceof StoreFailed)) throw cause
      const pause = retryAfterMs[tries]
      if (pause === undefined) throw giveUp(tries + 1, cause)
      await sleep(pause)
    }
  }
}
