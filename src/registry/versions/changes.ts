import { changedDefinitions } from './changed-definitions.ts'
import type { VersionContent } from './version-content.ts'

/**
 * What a change breaks: documents of GraphQL clients; a feature service under its name; models that were trained with what
 * a feature meant; rows that are stored.
 */
export type Broken = 'graphql' | 'services' | 'models' | 'rows'

/** One difference between two versions of the registry. */
export interface Change {
  /** Kind and name of the definition, as `feature view orders`. */
  readonly place: string
  readonly how: 'added' | 'changed' | 'removed'
  /** A sentence without the place, as `window of total_orders: 30d → 7d`. */
  readonly text: string
  readonly breaks: readonly Broken[]
}

/** Everything that differs, in the order of the definitions; removed ones last. `before` null: everything is added. */
export function changesBetween(before: VersionContent | null, after: VersionContent): readonly Change[] {
  const { added, changed, removed } = changedDefinitions(before?.definitions ?? [], after.definitions)
  const one =
    (how: Change['how'], breaks: readonly Broken[]) =>
    (place: string): Change => ({
      ...{ place, how, text: how, breaks },
    })
  return [
    ...added.map(one('added', [])),
    ...changed.map(one('changed', [])),
    ...removed.map(one('removed', ['graphql'])),
  ]
}
