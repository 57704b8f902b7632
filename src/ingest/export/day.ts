import { formatTimestamp, type Micros } from '../../definitions/timestamp.ts'

const dayMicros: Micros = 86_400_000_000

/** Days are counted from 1970 on, in UTC. */
export function dayOf(time: Micros): number {
  return Math.floor(time / dayMicros)
}

export function startOfDay(day: number): Micros {
  return day * dayMicros
}

/** `day=2026-01-31`, as Hive calls a partition; `_day=…` beside a column `day`, which readers would take from the folder's name. */
export function dayFolder(day: number, columns: readonly { readonly name: string }[]): string {
  const key = columns.some(({ name }) => name === 'day') ? '_day' : 'day'
  return `${key}=${formatTimestamp(startOfDay(day)).split('T')[0]}`
}
