import { GraphQLError, type GraphQLResolveInfo } from 'graphql'
import type { FeatureView } from '../registry/registry.ts'

type Path = GraphQLResolveInfo['path']

/** Why rows of a view are UNAVAILABLE; the message is for the caller. */
export interface UnavailableReason {
  readonly code: 'UNAVAILABLE' | 'HISTORY_EXPIRED'
  readonly message: string
}

interface Note {
  readonly view: FeatureView
  readonly reason: UnavailableReason
  readonly first: readonly (string | number)[]
  count: number
}

/**
 * The rows of a request whose view could not be answered. Nothing is thrown for them: each view is an object with
 * nulls, and the answer gets one error per view and path pattern, not one per key.
 */
export interface UnavailableViews {
  /** `path` is that of the view's field, or of the service row that takes from it. */
  readonly note: (view: FeatureView, path: Path, reason: UnavailableReason) => void
  /** One error each, its path the first place affected, `extensions.count` the number of rows. */
  readonly errors: () => readonly GraphQLError[]
}

export function unavailableViews(): UnavailableViews {
  const notes = new Map<string, Note>()
  return {
    note(view, path, reason) {
      const pattern = patternOf(path) + view.name
      const note = notes.get(pattern)
      if (note) note.count += 1
      else notes.set(pattern, { view, reason, first: keysOf(path), count: 1 })
    },
    errors: () =>
      [...notes.values()].map(
        ({ view, reason: { code, message }, first, count }) =>
          new GraphQLError(`feature view "${view.name}" is unavailable: ${message}`, {
            path: first,
            extensions: { code, view: view.name, count },
          }),
      ),
  }
}

function patternOf(path: Path | undefined): string {
  if (path === undefined) return ''
  return `${patternOf(path.prev)}${typeof path.key === 'number' ? '*' : path.key}/`
}

function keysOf(path: Path): (string | number)[] {
  const keys: (string | number)[] = []
  for (let at: Path | undefined = path; at !== undefined; at = at.prev) keys.push(at.key)
  return keys.reverse()
}
