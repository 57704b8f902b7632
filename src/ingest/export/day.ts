import { formatTimestamp, type Micros } from '../../definitions/timestamp.ts'

const dayMicros: Micros = 86_400_000_000

/** Days are counted from 1970 on, in UTC. */
export function dayOf(time: Micros): number {
  return Math.floor(time / dayMicros)
}

export function startOfDay(day: number): Micros {
  return day * dayMicros
}

/** `day=2026-01-31`, as Hive calls a partition. */
export function dayFolder(day: number): string {
  return `day=${formatTimestamp(startOfDay(day)).split('T')[0]}`
}
