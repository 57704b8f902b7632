import type { EventSource, Registry, StoredView } from '../../registry/registry.ts'
import { type ImportTarget, importTargets } from '../files/import-target.ts'

/** Where entries of a name go by today's definitions. */
export type RetryTarget =
  | { readonly kind: 'EVENTS'; readonly source: EventSource; readonly files: ImportTarget }
  | { readonly kind: 'ROWS'; readonly view: StoredView; readonly files: ImportTarget | null }

/** Null: no definition of the name stores anything today, or its rows stand in a table of the caller's. */
export function retryTarget(registry: Registry, name: string): RetryTarget | null {
  const source = registry.eventSources.find((one) => one.name === name)
  if (source) {
    const [files] = source.table === null ? importTargets(registry, name) : []
    return files ? { kind: 'EVENTS', source, files } : null
  }
  const view = registry.views.find((one) => one.name === name)
  if (!view || view.kind === 'STREAM' || view.source !== null) return null
  const files = view.files === null ? [] : importTargets(registry, view.files.name)
  return { kind: 'ROWS', view, files: files.find((target) => target.name === name) ?? null }
}
