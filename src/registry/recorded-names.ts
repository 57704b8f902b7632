import type { Registry } from './registry.ts'

/**
 * Rows, runs and violations are recorded under the ids of their views, and shown under today's names. A name that is no
 * view's of today, as an event source's or a removed view's, stands as it is.
 */
export interface RecordedNames {
  readonly idOf: (name: string) => string
  readonly nameOf: (id: string) => string
}

/** `eventSources`: where those are recorded beside views, under their names; they come first. */
export function recordedNames({
  views,
  eventSources,
}: Pick<Registry, 'views' | 'eventSources'>): RecordedNames {
  const sources = new Set(eventSources.map(({ name }) => name))
  const ids = new Map(views.map(({ id, name }) => [name, id]))
  const names = new Map(views.map(({ id, name }) => [id, name]))
  return {
    idOf: (name) => (sources.has(name) ? name : (ids.get(name) ?? name)),
    nameOf: (id) => (sources.has(id) ? id : (names.get(id) ?? id)),
  }
}
