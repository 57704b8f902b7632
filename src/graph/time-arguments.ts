import type { Micros } from '../definitions/timestamp.ts'
import { optional } from './declare.ts'
import type { NeedTimes } from './row-sources.ts'
import { timestampScalar } from './scalars.ts'

/** The two clocks, as arguments of every field by which an entity is reached. */
export const timeArguments = {
  asOf: optional(
    timestampScalar,
    'As things were at this moment, from the offline store. Absent: now, from the online store.',
  ),
  knownAt: optional(
    timestampScalar,
    'As they were known at this moment: rows that arrived later are not seen. Alone it means asOf now.',
  ),
} as const

export interface TimeValues {
  readonly asOf?: Micros | null
  readonly knownAt?: Micros | null
}

/** One moment for every row of a root field; null when neither time was given: online. */
export function sharedTimes({ asOf = null, knownAt = null }: TimeValues, now: Micros): NeedTimes {
  if (asOf === null && knownAt === null) return null
  const times = { asOf: asOf ?? now, knownAt }
  return () => times
}
