import type { Report } from '../errors.ts'
import { checkColumn, featureTableColumns } from './check-names.ts'

/** What definitions refer to by name. */
export type Referred = 'entity' | 'event source' | 'feature view'

/** A definition that did not parse, as it was exported. */
export interface BrokenDefinition {
  readonly place: string
  readonly data: Readonly<Record<string, unknown>>
}

/**
 * What can be said of a definition that did not parse beside why: references to nothing, and names that are taken, so that
 * mending one problem does not bring up the next.
 */
export function checkBroken(
  { place, data }: BrokenDefinition,
  reportUnknown: (path: string, what: Referred, name: string) => void,
  report: Report,
): void {
  const { kind, entity, source, features, inputs } = data
  if (kind === 'entity') {
    for (const name of keysOf(data['joinKeys']))
      checkColumn(`${place}.joinKeys.${name}`, name, featureTableColumns, report)
  } else if (kind === 'feature-view' || kind === 'windowed-view') {
    if (typeof entity === 'string') reportUnknown(`${place}.entity`, 'entity', entity)
    if (typeof source === 'string') reportUnknown(`${place}.source`, 'event source', source)
    for (const name of keysOf(features))
      checkColumn(`${place}.features.${name}`, name, featureTableColumns, report)
  } else if (kind === 'on-demand-view') {
    if (typeof entity === 'string') reportUnknown(`${place}.entity`, 'entity', entity)
    if (Array.isArray(inputs)) checkPicks(`${place}.inputs`, inputs, reportUnknown)
  } else if (kind === 'feature-service' && Array.isArray(features)) {
    checkPicks(`${place}.features`, features, reportUnknown)
  }
}

function checkPicks(
  place: string,
  items: readonly unknown[],
  reportUnknown: (path: string, what: Referred, name: string) => void,
): void {
  items.forEach((item, index) => {
    if (typeof item === 'object' && item !== null && 'view' in item && typeof item.view === 'string')
      reportUnknown(`${place}[${index}]`, 'feature view', item.view)
  })
}

function keysOf(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return []
  // Reported as why the definition did not parse.
  return Object.keys(value).filter((name) => name !== '__proto__')
}
