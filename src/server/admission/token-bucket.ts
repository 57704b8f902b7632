/**
 * Tokens that come back at a steady rate, as many as one second brings at most. What is left may be taken by more than it is:
 * a request larger than the bucket passes when the bucket is not empty, and the next ones wait until the debt is paid.
 */
export interface TokenBucket {
  /** Null: taken; else in how many seconds something will be there. */
  readonly take: (tokens: number, nowMs: number) => number | null
}

export function tokenBucket(perSecond: number, nowMs: number): TokenBucket {
  let left = perSecond
  let at = nowMs
  return {
    take(tokens, now) {
      left = Math.min(perSecond, left + (Math.max(0, now - at) / 1_000) * perSecond)
      at = Math.max(at, now)
      if (left <= 0) return (1 - left) / perSecond
      left -= tokens
      return null
    },
  }
}
