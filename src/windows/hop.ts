import type { Micros } from '../definitions/timestamp.ts'

/** 1 d, 1 h, 5 min, 1 min, 5 s. */
const hops: readonly Micros[] = [86_400_000_000, 3_600_000_000, 300_000_000, 60_000_000, 5_000_000]

const hopsPerWindow = 12

/**
 * The step in which a window's tail moves: the largest that fits into the window at least twelve times, so that rounding
 * adds at most a twelfth; null for a window under a minute, which must declare its own.
 */
export function chooseHop(windowMicros: Micros): Micros | null {
  return hops.find((hop) => windowMicros / hop >= hopsPerWindow) ?? null
}

/** The multiple of the hop at or before an instant, from the Unix epoch in UTC; also before 1970. */
export function floorToHop(instant: Micros, hop: Micros): Micros {
  return Math.floor(instant / hop) * hop
}

/** The first time at which a window begins at an instant or later. */
export function firstTimeSince(instant: Micros, windowMicros: Micros, hop: Micros): Micros {
  return Math.ceil(instant / hop) * hop + windowMicros
}

/** First instant of a sawtooth window at t: the window is [start, t). The head is exact, the tail rounded outwards. */
export function windowStart(t: Micros, windowMicros: Micros, hop: Micros): Micros {
  return floorToHop(t - windowMicros, hop)
}
