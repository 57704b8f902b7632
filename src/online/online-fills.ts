import { lackingFeatures } from '../definitions/feature-digest.ts'
import { isComputed } from '../registry/is-computed.ts'
import type { FeatureView, StoredView } from '../registry/registry.ts'
import type { FilledView, FilledViews } from '../stores/filled-views.ts'
import { filled, type OnlineFill } from './view-reader.ts'

/** What the absence of a row online says, by view; as of the last refresh, which is to be asked for every half second. */
export interface OnlineFills {
  readonly find: (view: FeatureView) => OnlineFill
  /**
   * Rejects with `StoreFailed`: what was known stays. One round trip, then those of `first`, which learns under which keys
   * the rows stand: a fill counts once reads go to the keys that were filled.
   */
  readonly refresh: (first: () => Promise<void>) => Promise<void>
}

/** Before the first refresh every view counts as filled. */
export function onlineFills(views: readonly FeatureView[], store: FilledViews): OnlineFills {
  const asked = views
    .filter((view) => view.kind !== 'STREAM')
    .filter((view) => view.online && isComputed(view))
  let known: ReadonlyMap<FeatureView, OnlineFill> = new Map()
  return {
    find: (view) => known.get(view) ?? filled,
    async refresh(first) {
      const answers = asked.length === 0 ? [] : await store.filled(asked)
      await first()
      known = new Map(
        asked.flatMap((view, index) => {
          const answer = answers[index]
          return answer ? [[view, fillOf(view, answer)] as const] : []
        }),
      )
    },
  }
}

function fillOf(view: StoredView, { materialized, hasSnapshots, hasEvents }: FilledView): OnlineFill {
  if (view.kind === 'BATCH' && (materialized === null || !hasSnapshots))
    return hasEvents ? { unavailable: 'NEVER_FILLED', lacking: null } : filled
  // What a plain view has is materialized, or it is not there.
  if (materialized === null) return filled
  const { digests } = materialized
  const lacking = digests === null ? null : lackingFeatures(digests, view.digests)
  if (lacking === null) return { unavailable: 'RECOMPUTING', lacking: null }
  return lacking.length === 0 ? filled : { unavailable: null, lacking: new Set(lacking) }
}
