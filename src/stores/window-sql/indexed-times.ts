import type { Micros } from '../../definitions/timestamp.ts'
import type { Dialect } from './dialect.ts'

/** Times at equal steps. */
interface Run {
  readonly start: Micros
  readonly step: Micros
  readonly count: number
}

/** Snapshot times by their index, oldest first. */
export interface IndexedTimes {
  readonly times: readonly Micros[]
  readonly runs: readonly Run[]
}

/** Few runs for what is usual: a range with a step, with or without times before and behind it. */
export function indexTimes(unordered: readonly Micros[]): IndexedTimes {
  const times = [...new Set(unordered)].sort((left, right) => left - right)
  const runs: Run[] = []
  for (let first = 0; first < times.length; ) {
    const start = times[first] ?? 0
    const step = (times[first + 1] ?? start + 1) - start
    let next = first + 1
    while (next < times.length && times[next] === start + (next - first) * step) next += 1
    // Two alone say nothing of a step: the second may begin a run.
    const count = next - first === 2 && next < times.length ? 1 : next - first
    runs.push({ start, step: count === 1 ? 1 : step, count })
    first += count
  }
  return { times, runs }
}

/** How many of the times are at or before one, which is the index of the first behind it. */
export function countUntil(sql: Dialect, { runs }: IndexedTimes, micros: string): string {
  const { int, quotient } = sql
  return runs
    .map(({ start, step, count }) => {
      if (count === 1) return `case when ${micros} >= ${int(start)} then ${int(1)} else ${int(0)} end`
      // Of what lies before the first one the quotient is 0 or negative, however it is rounded.
      const steps = quotient(`(${micros} - ${int(start - step)})`, int(step))
      return `greatest(${int(0)}, least(${int(count)}, ${steps}))`
    })
    .join(' + ')
}

/** The time of an index. */
export function timeOf(sql: Dialect, { times, runs }: IndexedTimes, index: string): string {
  const [run] = runs
  if (run && runs.length === 1) return `${sql.int(run.start)} + ${index} * ${sql.int(run.step)}`
  return sql.timeAt(times, index)
}
