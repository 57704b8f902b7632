import { GraphQLError, type GraphQLResolveInfo } from 'graphql'
import { type UnavailableReason, unavailableSentences } from '../definitions/unavailable-reason.ts'
import type { FreshnessSource } from '../online/view-row.ts'

type Path = GraphQLResolveInfo['path']

/** Why rows of a view are UNAVAILABLE; the message is for the caller. */
export interface Unavailability {
  readonly code: 'UNAVAILABLE' | 'HISTORY_EXPIRED'
  readonly reason: UnavailableReason
  readonly message: string
}

export function unavailability(
  reason: UnavailableReason,
  source: FreshnessSource,
  message = unavailableSentences[reason](source === 'ONLINE' ? 'online' : 'offline'),
): Unavailability {
  return { code: reason === 'HISTORY_EXPIRED' ? reason : 'UNAVAILABLE', reason, message }
}

/** A view of any kind. */
interface NamedView {
  readonly name: string
}

interface Note {
  readonly view: NamedView
  readonly why: Unavailability
  readonly first: readonly (string | number)[]
  count: number
}

/**
 * The rows of a request whose view could not be answered. Nothing is thrown for them: each view is an object with
 * nulls, and the answer gets one error per view and path pattern, not one per key.
 */
export interface UnavailableViews {
  /** `path` is that of the view's field, or of the service row that takes from it. The first of its reasons is reported. */
  readonly note: (view: NamedView, path: Path, why: Unavailability) => void
  /** One error each, its path the first place affected, `extensions.count` the number of rows. */
  readonly errors: () => readonly GraphQLError[]
}

export function unavailableViews(): UnavailableViews {
  const notes = new Map<string, Note>()
  return {
    note(view, path, why) {
      const pattern = patternOf(path) + view.name
      const note = notes.get(pattern)
      if (note) note.count += 1
      else notes.set(pattern, { view, why, first: keysOf(path), count: 1 })
    },
    errors: () =>
      [...notes.values()].map(
        ({ view, why: { code, reason, message }, first, count }) =>
          new GraphQLError(`feature view "${view.name}" is unavailable: ${message}`, {
            path: first,
            extensions: { code, reason, view: view.name, count },
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
