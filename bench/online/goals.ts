import { busy, type Cell, speedRatio } from './cells.ts'
import type { Operation } from './expected.ts'
import { byCpu, cpuRatio, type FindCell, percent, serverNames, shown } from './report.ts'

/** What is to be reached, of the floor: at 32 connections by CPU and by requests a second, at one connection by requests. */
const shares = [
  { entities: 1, byCpu: 1, byRequests: 1 },
  { entities: 10, byCpu: 1, byRequests: 0.95 },
  { entities: 100, byCpu: 1, byRequests: 0.95 },
] as const
const freshnessShare = 0.85
const oneConnectionShare = 0.85
const timesApollo = 6
const vectorsTimes = 3

export const unknownEntities = 10
export const vectorRows = 500
export const vectorConnections = [1, 100] as const

/** Below this share of a core the floor was held back by something else, and a ratio to it flatters. */
const busyEnough = 0.9

/** One line a goal whose servers were measured: what was asked for, what came, and whether the median met it. */
export function goals(find: FindCell, before: readonly string[]): readonly string[] {
  const { gateway, floor, apollo } = serverNames
  const at = (
    server: string,
    entities: number,
    connections: number,
    operation: Operation = 'features',
  ): Cell => find({ server, entities, connections, operation })
  const lines: string[] = []
  for (const { entities, ...goal } of shares) {
    const [ours, theirs] = [at(gateway, entities, 32), at(floor, entities, 32)]
    lines.push(...ofTheFloor(`N = ${entities}, 32 connections`, ours, theirs, goal))
  }
  const fresh = at(gateway, 100, 32, 'freshness')
  const freshGoal = { byCpu: freshnessShare, byRequests: freshnessShare }
  lines.push(...ofTheFloor('N = 100 with freshness, 32 connections', fresh, at(floor, 100, 32), freshGoal))
  for (const { entities } of shares) {
    const what = `at least ${oneConnectionShare} of the floor, N = ${entities}, one connection`
    lines.push(...judged(what, at(gateway, entities, 1), at(floor, entities, 1), oneConnectionShare))
  }
  const times = `at least ${timesApollo} times default Apollo, N = 100, 32 connections`
  lines.push(...judged(times, at(gateway, 100, 32), at(apollo, 100, 32), timesApollo))
  for (const other of before) {
    for (const connections of vectorConnections) {
      const [ours, theirs] = [gateway, other].map((server) => at(server, vectorRows, connections, 'vectors'))
      const what = `vectors at least ${vectorsTimes} times the rate of the ${other}, connections ${connections}`
      lines.push(...judged(what, ours ?? [], theirs ?? [], vectorsTimes))
    }
    const [ours, theirs] = [gateway, other].map((server) => at(server, unknownEntities, 32, 'unknown'))
    lines.push(...judged(`new texts no slower than by the ${other}`, ours ?? [], theirs ?? [], 1))
  }
  return lines
}

interface ShareGoal {
  readonly byCpu: number
  readonly byRequests: number
}

function ofTheFloor(where: string, ours: Cell, floor: Cell, goal: ShareGoal): readonly string[] {
  const cpu = cpuRatio(ours, floor)
  if (ours.length === 0 || floor.length === 0) return []
  const share = speedRatio(ours, floor)
  const floorBusy = busy(floor)
  const idle = floorBusy !== null && floorBusy < busyEnough
  const remark = idle ? `; the floor was only ${percent(floorBusy)} busy` : ''
  const byRequests = share.median < goal.byRequests ? 'NOT MET' : idle ? 'UNSURE' : 'met'
  return [
    line(
      cpu === null ? 'UNSURE' : cpu < goal.byCpu ? 'NOT MET' : 'met',
      `at least ${goal.byCpu} of the floor by CPU, ${where}`,
      byCpu(ours, floor),
    ),
    line(byRequests, `at least ${goal.byRequests} of the floor by requests, ${where}`, shown(share) + remark),
  ]
}

/** Unsure where rounds lie on both sides of the goal. */
function judged(what: string, ours: Cell, theirs: Cell, goal: number): readonly string[] {
  if (ours.length === 0 || theirs.length === 0) return []
  const ratio = speedRatio(ours, theirs)
  const outcome = ratio.median < goal ? (ratio.highest < goal ? 'NOT MET' : 'UNSURE') : 'met'
  return [line(outcome, what, shown(ratio))]
}

function line(outcome: 'met' | 'NOT MET' | 'UNSURE', goal: string, measured: string): string {
  return `${outcome}: ${goal}: ${measured}`
}
