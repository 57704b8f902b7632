import { busy, type Cell, perRequest, type Range, range, rate, speedRatio } from './cells.ts'
import type { Operation } from './expected.ts'

export interface RowOf {
  readonly server: string
  readonly operation: Operation
  readonly entities: number
  readonly connections: number
}

/** Cells by what was measured; empty where it was not. */
export type FindCell = (row: RowOf) => Cell

export const serverNames = {
  gateway: 'gateway',
  floor: 'floor',
  apollo: 'default Apollo',
  feast: 'Feast',
} as const

const asked: Readonly<Record<Operation, string>> = {
  features: '',
  freshness: ', with freshness',
  unknown: ', a new text each time',
  vectors: ', vectors by column',
}

const columns = [
  ...['N', 'connections', 'server', 'requests/s', 'of the floor [lowest-highest]'],
  ...['CPU µs/request', 'of the floor by CPU', 'p50 ms', 'p99 ms'],
]

/** The Markdown table of docs/performance.md. The floor answers features alone, so that all of a size is compared with those. */
export function resultTable(rows: readonly RowOf[], find: FindCell): string {
  return markdown(
    columns,
    rows.map((row) => {
      const [cell, floor] = [find(row), floorOf(row, find)]
      const { entities, connections, server, operation } = row
      const name = server === serverNames.gateway ? `**${server}**` : server
      return [
        ...[entities, connections, name + asked[operation], thousands(range(cell.map(rate)).median)],
        ...[shown(speedRatio(cell, floor)), thousands(perRequest(cell, 'serverCpuMicros'))],
        ...[byCpu(cell, floor), milliseconds(cell, 'p50Ms'), milliseconds(cell, 'p99Ms')],
      ]
    }),
  )
}

/** What else used the cores, to judge the figures by. */
export function loadTable(rows: readonly RowOf[], find: FindCell): string {
  return markdown(
    ['N', 'connections', 'server', 'server busy', 'Redis µs/request', 'load µs/request'],
    rows.map((row) => [
      ...[row.entities, row.connections, row.server + asked[row.operation], percent(busy(find(row)))],
      thousands(perRequest(find(row), 'redisCpuMicros')),
      thousands(perRequest(find(row), 'loadCpuMicros')),
    ]),
  )
}

function markdown(heads: readonly string[], lines: readonly (readonly (string | number)[])[]): string {
  return [heads, heads.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

export function floorOf(
  { entities, connections }: Omit<RowOf, 'server' | 'operation'>,
  find: FindCell,
): Cell {
  return find({ server: serverNames.floor, operation: 'features', entities, connections })
}

/** How much less CPU the other used a request; null where it is not known. */
export function cpuRatio(cell: Cell, other: Cell): number | null {
  const [own, others] = [perRequest(cell, 'serverCpuMicros'), perRequest(other, 'serverCpuMicros')]
  return own === null || others === null ? null : others / own
}

export function byCpu(cell: Cell, floor: Cell): string {
  return cpuRatio(cell, floor)?.toFixed(2) ?? '-'
}

export function shown({ median, lowest, highest }: Range): string {
  if (Number.isNaN(median)) return '-'
  return `${median.toFixed(2)} [${lowest.toFixed(2)}-${highest.toFixed(2)}]`
}

function milliseconds(cell: Cell, quantile: 'p50Ms' | 'p99Ms'): string {
  return range(cell.map((burst) => burst[quantile])).median.toFixed(2)
}

function thousands(value: number | null): string {
  return value === null ? '-' : Math.round(value).toLocaleString('en')
}

export function percent(share: number | null): string {
  return share === null ? '-' : `${Math.round(share * 100)} %`
}
