import { LRUCache } from 'lru-cache'
import { RateLimited } from '../../errors.ts'
import { type TokenBucket, tokenBucket } from './token-bucket.ts'

export interface RateOptions {
  /** Of one caller in this process; null: without a limit. */
  readonly requestsPerSecond: number | null
  readonly entitiesPerSecond: number | null
  /** In milliseconds. */
  readonly now: () => number
}

export interface Rates {
  /** @throws RateLimited */
  readonly request: (caller: string) => void
  /** @throws RateLimited */
  readonly entities: (caller: string, count: number) => void
}

/** Callers choose addresses: those that asked last are remembered, the others begin with a full bucket. */
const maxCallers = 10_000

/** A token bucket each of a caller's requests and of the entity rows that it asks for, in this process. */
export function callerRates({ requestsPerSecond, entitiesPerSecond, now }: RateOptions): Rates {
  return {
    request: limiter('requests', requestsPerSecond, now),
    entities: limiter('entities', entitiesPerSecond, now),
  }
}

function limiter(
  what: string,
  perSecond: number | null,
  now: () => number,
): (caller: string, count?: number) => void {
  if (perSecond === null) return () => {}
  const buckets = new LRUCache<string, TokenBucket>({ max: maxCallers })
  return (caller, count = 1) => {
    if (count === 0) return
    const at = now()
    let bucket = buckets.get(caller)
    if (bucket === undefined) {
      bucket = tokenBucket(perSecond, at)
      buckets.set(caller, bucket)
    }
    const seconds = bucket.take(count, at)
    if (seconds === null) return
    throw new RateLimited(
      `a caller may ask for ${perSecond} ${what} a second; wait, or ask for less at once`,
      Math.ceil(seconds),
    )
  }
}
