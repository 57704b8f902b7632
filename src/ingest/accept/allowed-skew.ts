import type { Micros } from '../../definitions/timestamp.ts'

/** How far ahead of the clock an event may be: clocks differ. */
export const allowedSkewMicros: Micros = 600_000_000
