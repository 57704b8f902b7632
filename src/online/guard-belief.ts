import type { UnavailableReason } from '../definitions/unavailable-reason.ts'
import type { GuardReading } from '../stores/online-store.ts'
import { type Guard, parseGuard } from '../stores/online-value/guard-text.ts'

/** Which reads of a store count, by the guards that they carried so far, whatever was read. One per store and process. */
export interface GuardBelief {
  /** The epoch that the read counts for; else why it counts for none. To be called for every read, in the order of answers. */
  readonly epochOf: (reading: GuardReading) => number | UnavailableReason
  /** What it said of the last read. */
  readonly last: () => number | UnavailableReason
}

export function guardBelief(): GuardBelief {
  const connection = { number: -1, first: -1, isProven: false }
  let last: Guard | null = null
  let lastText: string | null = null
  let believed: number | UnavailableReason = 'UNVERIFIED'

  function believe(reading: GuardReading, guard: Guard | null): number | UnavailableReason {
    const tick = guard?.tick ?? -1
    if (reading.connection !== connection.number) {
      Object.assign(connection, { number: reading.connection, first: tick, isProven: false })
    } else if (guard !== null && last !== null && tick < last.tick) {
      Object.assign(connection, { first: tick, isProven: false })
    }
    if (guard === null) return 'LOST'
    last = guard
    // Connection 0 is to a store that loses everything or nothing.
    if (tick > connection.first || reading.connection === 0) connection.isProven = true
    return connection.isProven ? guard.epoch : 'UNVERIFIED'
  }

  return {
    epochOf(reading) {
      if (reading.guard !== lastText || reading.connection !== connection.number) {
        believed = believe(reading, parseGuard(reading.guard))
        lastText = reading.guard
      }
      return believed
    },
    last: () => believed,
  }
}
