import { formatTimestamp } from '../../definitions/timestamp.ts'
import type { Estimate } from '../../registry/versions/estimate.ts'
import { brokenBy, type Comparison } from './compare-versions.ts'
import type { Plan } from './plan-text.ts'

export function comparisonJson({ changes, schema }: Comparison) {
  return {
    changes: changes.map(({ place, how, text, breaks }) => ({ definition: place, how, text, breaks })),
    breaks: brokenBy(changes),
    graphql: schema.map(({ path, text, isBreaking }) => ({ path, text, breaking: isBreaking })),
  }
}

export function planJson({ version, estimates, begun, ...comparison }: Plan): object {
  return {
    version,
    ...comparisonJson(comparison),
    recompute: estimates?.map(estimateJson) ?? null,
    begun: begun && {
      kind: begun.kind,
      version: begun.base,
      by: begun.by,
      begunAt: formatTimestamp(begun.begunAt),
      underWay: begun.isHeld,
    },
  }
}

function estimateJson({ recomputation, snapshots, rows, isExact, seconds }: Estimate): object {
  const counts = { snapshots, rows, exact: isExact, seconds: seconds && Math.round(seconds) }
  switch (recomputation.kind) {
    case 'SNAPSHOTS':
    case 'ONLINE_ROWS': {
      const { kind, view, features } = recomputation
      return { what: kind, featureView: view.name, features, ...counts }
    }
    case 'TILES':
      return { what: 'TILES', featureView: recomputation.view.name, ...counts }
    case 'INDEX': {
      const { on, columns } = recomputation
      const of = on.kind === 'event-source' ? { eventSource: on.name } : { featureView: on.name }
      return { what: 'INDEX', ...of, columns, ...counts }
    }
  }
}
