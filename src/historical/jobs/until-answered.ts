import { StoreFailed } from '../../errors.ts'

const pauseMs = 1_000

/** Null: the signal has aborted. A database that is away is waited for. */
export async function untilAnswered<Result>(
  work: () => Promise<Result>,
  signal: AbortSignal,
  pause: (ms: number) => Promise<unknown>,
): Promise<Result | null> {
  for (;;) {
    if (signal.aborted) return null
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof StoreFailed)) throw error
      await pause(pauseMs)
    }
  }
}
