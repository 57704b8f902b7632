import { StoreFailed } from '../errors.ts'

const pausesMs = [100, 400, 1_600, 3_200]

/** How long to wait after so many failures in a row, from 0 on, before a store is tried again. */
export function retryPauseMs(failures: number): number {
  return pausesMs[Math.min(failures, pausesMs.length - 1)] ?? 0
}

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
      if (tries === pausesMs.length) throw giveUp(tries + 1, cause)
      await sleep(retryPauseMs(tries))
    }
  }
}
