import { type Range, range } from '../online/cells.ts'
import type { Comparison, Findings, Goal, Growth } from './bench.ts'

const columns = [
  'what',
  'rows',
  'ours s',
  'ours rows/s',
  'our peak MB',
  'beside',
  'its s',
  'its rows/s',
  'ratio [lowest-highest]',
  'goal',
  '',
]

/** A markdown table, one row a comparison. */
export function comparisonTable({ comparisons }: Findings): string {
  const lines = comparisons.map((comparison) => {
    const { what, rows, ours, peer, goal } = comparison
    const seconds = range(ours.map((done) => done.seconds)).median
    const theirs = theirSeconds(comparison)
    const peak = ours.flatMap(({ peakBytes }) => (peakBytes === null ? [] : [peakBytes]))
    return [
      what,
      thousands(rows),
      seconds.toFixed(2),
      thousands(rows / seconds),
      peak.length === 0 ? '-' : megabytes(Math.max(...peak)),
      peer.name,
      theirs === null ? '-' : theirs.toFixed(2),
      theirs === null ? '-' : thousands(rows / theirs),
      shown(ratioOf(comparison)),
      goalText(goal),
      verdict(comparison),
    ]
  })
  return [columns, columns.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

function theirSeconds({ peer }: Comparison): number | null {
  switch (peer.kind) {
    case 'RUN':
      return range(peer.seconds).median
    case 'FIGURE':
      return peer.seconds
    case 'ABSENT':
      return null
  }
}

/** Within a round: the machine's speed moves between rounds. Of rates or of times, as the goal is reported. */
function ratioOf({ ours, peer, goal }: Comparison): Range | null {
  if (peer.kind === 'ABSENT') return null
  return range(
    ours.map(({ seconds }, round) => {
      const theirs = peer.kind === 'FIGURE' ? peer.seconds : (peer.seconds[round] ?? Number.NaN)
      return goal.kind === 'RATE_AT_LEAST' ? theirs / seconds : seconds / theirs
    }),
  )
}

function goalText({ kind, times }: Goal): string {
  return kind === 'RATE_AT_LEAST' ? `≥ ${times} × its rate` : `≤ ${times} × its time`
}

function verdict(comparison: Comparison): string {
  const { goal, peer } = comparison
  if (peer.kind === 'ABSENT') return `not compared: ${peer.reason}`
  const { median = Number.NaN } = ratioOf(comparison) ?? {}
  const met = goal.kind === 'RATE_AT_LEAST' ? median >= goal.times : median <= goal.times
  const outcome = met ? 'met' : 'NOT MET'
  return peer.kind === 'FIGURE' ? `${outcome}, against a figure, not a run` : outcome
}

/** Of one that grows by less, memory counts as flat. */
const flat = 1.25

export function growthLine({ what, few, many }: Growth): string {
  if (few.peakBytes === null || many.peakBytes === null)
    return `not measured: memory of ${what} (this system has no /proc)`
  const growth = many.peakBytes / few.peakBytes
  const peaks = `${megabytes(few.peakBytes)} MB for ${thousands(few.rows)} rows, ${megabytes(many.peakBytes)} MB for ${thousands(many.rows)}`
  return `${growth <= flat ? 'met' : 'NOT MET'}: memory of ${what} flat (at most ${flat} times as much): ${growth.toFixed(2)}, ${peaks}`
}

function shown(ratio: Range | null): string {
  if (ratio === null) return '-'
  const { median, lowest, highest } = ratio
  return `${median.toFixed(2)} [${lowest.toFixed(2)}-${highest.toFixed(2)}]`
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(0)

function thousands(value: number): string {
  return Math.round(value).toLocaleString('en')
}
