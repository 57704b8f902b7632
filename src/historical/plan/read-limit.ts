import { LimitExceeded } from '../../errors.ts'
import type { ChosenWay } from './choose-way.ts'

/** Feature rows and events that a training set may read where no other limit is given. */
export const usualReadLimit = 1_000_000_000

export interface ReadLimit {
  /**
   * Counts what some of the spine will read; `done` is how much of the spine has been counted then, from 0 to 1.
   * @throws LimitExceeded where the whole spine would read more than the limit, before it does.
   */
  readonly add: (ways: readonly ChosenWay[], done: number) => void
}

/** `raise`: what to do about it. */
export function readLimit(limit: number, raise: string): ReadLimit {
  const reads = new Map<string, number>()
  return {
    add(ways, done) {
      for (const { view, reads: more } of ways) reads.set(view, (reads.get(view) ?? 0) + more)
      const whole = [...reads].map(([view, some]) => ({
        view,
        reads: Math.round(some / Math.max(done, 1e-6)),
      }))
      const total = whole.reduce((sum, one) => sum + one.reads, 0)
      if (total <= limit) return
      const dearest = whole.sort((left, right) => right.reads - left.reads)[0]
      throw new LimitExceeded(
        `the spine would have about ${total.toLocaleString('en')} stored rows read, most of them of "${dearest?.view}"; at most ${limit.toLocaleString('en')} are allowed: ${raise}`,
      )
    },
  }
}
