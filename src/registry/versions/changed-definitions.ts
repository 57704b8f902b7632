import { isDeepStrictEqual } from 'node:util'
import type { VersionContent } from './version-content.ts'

type Definitions = VersionContent['definitions']

/** What a definition is called in messages; views of all kinds share their names. */
const called = {
  entity: 'entity',
  'event-source': 'event source',
  'feature-view': 'feature view',
  'windowed-view': 'feature view',
  'on-demand-view': 'feature view',
  'feature-service': 'feature service',
} as const

/** Kind and name of a definition, as `feature view orders`. */
export function placeOf(kind: keyof typeof called, name: string): string {
  return `${called[kind]} ${name}`
}

/** Definitions that are new, other or gone, by kind and name, as `feature view orders`. */
export interface ChangedDefinitions {
  readonly added: readonly string[]
  readonly changed: readonly string[]
  readonly removed: readonly string[]
}

/** Also the order of features is part of a definition. */
export function changedDefinitions(before: Definitions, after: Definitions): ChangedDefinitions {
  const old = byPlace(before)
  const today = byPlace(after)
  const isOther = (place: string): boolean =>
    !isDeepStrictEqual(ordered(old.get(place)), ordered(today.get(place)))
  return {
    added: [...today.keys()].filter((place) => !old.has(place)),
    changed: [...today.keys()].filter((place) => old.has(place) && isOther(place)),
    removed: [...old.keys()].filter((place) => !today.has(place)),
  }
}

/** In which version each definition last changed, after `version` has changed these. */
export function changedInVersion(
  before: Readonly<Record<string, number>>,
  definitions: Definitions,
  { added, changed }: ChangedDefinitions,
  version: number,
): Readonly<Record<string, number>> {
  const news = new Set([...added, ...changed])
  return Object.fromEntries(
    [...byPlace(definitions).keys()].map((place) => [
      place,
      news.has(place) ? version : (before[place] ?? version),
    ]),
  )
}

/** In their order. */
export function placesOf(definitions: Definitions): readonly string[] {
  return [...byPlace(definitions).keys()]
}

function byPlace(definitions: Definitions): ReadonlyMap<string, Definitions[number]> {
  return new Map(
    definitions.map((one) => [placeOf(one['kind'] as keyof typeof called, String(one['name'])), one]),
  )
}

/** With the order of what is in records: equal objects of another order are not equal to `isDeepStrictEqual` then. */
function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered)
  if (typeof value !== 'object' || value === null) return value
  return Object.entries(value).map(([name, inner]) => [name, ordered(inner)])
}
