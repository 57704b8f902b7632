import type { Estimate } from '../../registry/versions/estimate.ts'

/** A line for each thing that is to be computed again, with counts and a rough time. */
export function estimateLines(estimates: readonly Estimate[]): readonly string[] {
  return estimates.map((one) => `  ${subjectOf(one)}; ${shownTime(one)}`)
}

function subjectOf({ recomputation, snapshots, rows, isExact }: Estimate): string {
  const amount = (what: string): string =>
    rows === null ? `an unknown number of ${what}s` : `${isExact ? '' : 'about '}${counted(rows, what)}`
  switch (recomputation.kind) {
    case 'SNAPSHOTS': {
      const { view, features } = recomputation
      return `feature view ${view.name}: ${counted(snapshots ?? 0, 'snapshot')} with ${amount('row')}, for ${features.join(', ')}`
    }
    case 'ONLINE_ROWS':
      return `feature view ${recomputation.view.name}: ${amount('online row')} to be materialized again`
    case 'TILES':
      return `feature view ${recomputation.view.name}: a new generation of tiles, from ${amount('stored event')}`
    case 'INDEX': {
      const { on, columns } = recomputation
      const called = on.kind === 'event-source' ? 'event source' : 'feature view'
      return `${called} ${on.name}: an index on (${columns.join(', ')}), built beside reading and writing, of ${amount('row')}`
    }
  }
}

function shownTime({ seconds }: Estimate): string {
  if (seconds === null) return 'time unknown'
  if (seconds < 1) return 'under a second'
  if (seconds < 100) return `about ${Math.round(seconds)} s`
  if (seconds < 6_000) return `about ${Math.round(seconds / 60)} min`
  return `about ${Math.round(seconds / 3_600)} h`
}

function counted(count: number, one: string): string {
  return `${count.toLocaleString('en')} ${one}${count === 1 ? '' : 's'}`
}
