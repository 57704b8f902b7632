import type { Micros } from '../../definitions/timestamp.ts'
import type { EventSource, FeatureView, StreamView } from '../../registry/registry.ts'
import { reachOf } from '../../windows/reach-of.ts'

/** The sources of streaming views that are online, each with its views. */
export function followedSources(
  views: readonly FeatureView[],
): ReadonlyMap<EventSource, readonly StreamView[]> {
  const followed = new Map<EventSource, StreamView[]>()
  for (const view of views) {
    if (view.kind !== 'STREAM' || !view.online) continue
    followed.set(view.events, [...(followed.get(view.events) ?? []), view])
  }
  return followed
}

const expiryMargin: Micros = 3_600_000_000

/** So long after it was written, a value of the view's tiles is of no use to anybody. */
export function tileExpiry(view: StreamView): Micros {
  return reachOf(view) + expiryMargin
}

/** An event of longer ago is in no window of the source's streaming views; without any it never is. */
export function longestReach(source: EventSource, views: readonly FeatureView[]): Micros {
  const own = followedSources(views).get(source) ?? []
  return own.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...own.map(reachOf))
}
