import type { FeatureService, FeatureView, VectorEntry } from './registry.ts'

/** The views whose rows a service is answered from, once each; also those that only functions of on-demand views are given. */
export function readViews({ vector }: Pick<FeatureService, 'vector'>): readonly FeatureView[] {
  return [...new Set(vector.flatMap(viewsOf))]
}

function viewsOf(entry: VectorEntry): readonly FeatureView[] {
  switch (entry.kind) {
    case 'request':
      return []
    case 'feature':
      return [entry.view]
    case 'on-demand':
      return entry.view.inputs.flatMap((input) => (input.kind === 'feature' ? [input.view] : []))
  }
}
