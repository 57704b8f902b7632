import type { MeasuredBurst } from './load.ts'

/** One burst with what it cost the processes that worked for it. CPU is null where the system does not say. */
export interface Measurement extends MeasuredBurst {
  readonly round: number
  readonly serverCpuMicros: number | null
  readonly redisCpuMicros: number | null
  /** What all processes of the machine used, these and strangers'. */
  readonly machineCpuMicros: number | null
}

/** All rounds of one server, operation, size and number of connections. */
export type Cell = readonly Measurement[]

export interface Range {
  readonly median: number
  readonly lowest: number
  readonly highest: number
}

export function range(values: readonly number[]): Range {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const [low = Number.NaN, high = Number.NaN] = [sorted[(sorted.length - 1) >> 1], sorted[middle]]
  return {
    median: (low + high) / 2,
    lowest: sorted[0] ?? Number.NaN,
    highest: sorted.at(-1) ?? Number.NaN,
  }
}

export const rate = ({ requests, seconds }: MeasuredBurst): number => requests / seconds

/** How many times as fast as `other` in the burst of the same round: the machine's speed moves between rounds. */
export function speedRatio(cell: Cell, other: Cell): Range {
  return range(
    cell.flatMap((burst) => {
      const beside = other.find(({ round }) => round === burst.round)
      return beside ? [rate(burst) / rate(beside)] : []
    }),
  )
}

/** Median microseconds a request of one of the CPU figures; null where it is not known. */
export function perRequest(
  cell: Cell,
  micros: 'serverCpuMicros' | 'redisCpuMicros' | 'loadCpuMicros',
): number | null {
  const values = cell.flatMap((burst) => {
    const used = burst[micros]
    return used === null ? [] : [used / burst.requests]
  })
  return values.length === 0 ? null : range(values).median
}

/** The share of one core that the server used, in the median burst: far below 1, something else was the limit. */
export function busy(cell: Cell): number | null {
  const values = cell.flatMap(({ serverCpuMicros, seconds }) =>
    serverCpuMicros === null ? [] : [serverCpuMicros / 1_000_000 / seconds],
  )
  return values.length === 0 ? null : range(values).median
}

/** Cores used by processes that are not the bench's, in the median burst. */
export function coresOfOthers(bursts: readonly Measurement[]): number | null {
  const values = bursts.flatMap(
    ({ machineCpuMicros, serverCpuMicros, redisCpuMicros, loadCpuMicros, seconds }) =>
      machineCpuMicros === null
        ? []
        : [
            (machineCpuMicros - (serverCpuMicros ?? 0) - (redisCpuMicros ?? 0) - loadCpuMicros) /
              1_000_000 /
              seconds,
          ],
  )
  return values.length === 0 ? null : Math.max(0, range(values).median)
}
