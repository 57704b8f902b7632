import { busy, type Cell, perRequest, type Range, range, rate, speedRatio } from './cells.ts'
import type { Operation } from './expected.ts'

/** Cells by what was measured. */
export type FindCell = (server: string, operation: Operation, entities: number, connections: number) => Cell

export const serverNames = { gateway: 'gateway', floor: 'floor', apollo: 'default Apollo' } as const

const columns = [
  'N',
  'connections',
  'server',
  'requests/s',
  'of the floor [lowest-highest]',
  'CPU µs/request',
  'of the floor by CPU',
  'server busy',
  'p50 ms',
  'p99 ms',
  'Redis µs',
  'load µs',
]

export interface RowOf {
  readonly server: string
  readonly operation: Operation
  readonly entities: number
  readonly connections: number
}

/** A markdown table, one row a cell. */
export function resultTable(rows: readonly RowOf[], find: FindCell): string {
  const lines = rows.map(({ server, operation, entities, connections }) => {
    const cell = find(server, operation, entities, connections)
    const floor = find(serverNames.floor, 'features', entities, connections)
    return [
      entities,
      connections,
      operation === 'features' ? server : `${server}, with freshness`,
      thousands(range(cell.map(rate)).median),
      shown(speedRatio(cell, floor)),
      thousands(perRequest(cell, 'serverCpuMicros')),
      byCpu(cell, floor),
      percent(busy(cell)),
      range(cell.map(({ p50Ms }) => p50Ms)).median.toFixed(2),
      range(cell.map(({ p99Ms }) => p99Ms)).median.toFixed(2),
      thousands(perRequest(cell, 'redisCpuMicros')),
      thousands(perRequest(cell, 'loadCpuMicros')),
    ]
  })
  return [columns, columns.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

const shareOfFloor = [
  [1, 0.35],
  [10, 0.45],
  [100, 0.55],
] as const
const timesApollo = 6
const freshnessTime = 1.6
const residentLimit = 250e6

/** Below this share of a core the floor was held back by something else, and a ratio to it flatters. */
const busyEnough = 0.9

/** One line a goal: what was asked for, what came, and whether the median met it. */
export function verdicts(find: FindCell, resident: number | null): readonly string[] {
  const at = (server: string, entities: number, operation: Operation = 'features'): Cell =>
    find(server, operation, entities, 32)
  const { gateway, floor, apollo } = serverNames
  const shares = shareOfFloor.map(([entities, goal]) => {
    const [ours, theirs] = [at(gateway, entities), at(floor, entities)]
    const share = speedRatio(ours, theirs)
    const floorBusy = busy(theirs)
    const idle = floorBusy !== null && floorBusy < busyEnough
    const remark = idle
      ? `; the floor was only ${percent(floorBusy)} busy, by CPU ${byCpu(ours, theirs)}`
      : ''
    return verdict(
      share.median < goal ? 'NOT MET' : idle ? 'UNSURE' : 'met',
      `at least ${goal} of the floor, N = ${entities}, 32 connections`,
      shown(share) + remark,
    )
  })
  const times = speedRatio(at(gateway, 100), at(apollo, 100))
  const slower = speedRatio(at(gateway, 100), at(gateway, 100, 'freshness'))
  return [
    ...shares,
    verdict(
      times.median >= timesApollo ? 'met' : 'NOT MET',
      `at least ${timesApollo} times default Apollo, N = 100, 32 connections`,
      shown(times),
    ),
    verdict(
      slower.median <= freshnessTime ? 'met' : 'NOT MET',
      `freshness takes at most ${freshnessTime} times the time, N = 100, 32 connections`,
      shown(slower),
    ),
    resident === null
      ? 'not measured: resident memory (this system has no /proc)'
      : verdict(
          resident < residentLimit ? 'met' : 'NOT MET',
          'gateway under 250 MB resident, highest after any burst',
          `${(resident / 1e6).toFixed(0)} MB`,
        ),
  ]
}

type Outcome = 'met' | 'NOT MET' | 'UNSURE'

function verdict(outcome: Outcome, goal: string, measured: string): string {
  return `${outcome}: ${goal}: ${measured}`
}

/** How much less CPU the floor used a request. */
function byCpu(cell: Cell, floor: Cell): string {
  const [cpu, floorCpu] = [perRequest(cell, 'serverCpuMicros'), perRequest(floor, 'serverCpuMicros')]
  return cpu === null || floorCpu === null ? '-' : (floorCpu / cpu).toFixed(2)
}

function shown({ median, lowest, highest }: Range): string {
  return `${median.toFixed(2)} [${lowest.toFixed(2)}-${highest.toFixed(2)}]`
}

function thousands(value: number | null): string {
  return value === null ? '-' : Math.round(value).toLocaleString('en')
}

function percent(share: number | null): string {
  return share === null ? '-' : `${Math.round(share * 100)} %`
}
