import type { Micros } from '../definitions/timestamp.ts'
import { OtherDatabase, OtherDefinitions } from '../errors.ts'
import { dayOf, startOfDay } from '../ingest/export/day.ts'
import { exportSubject } from '../ingest/export/export-subject.ts'
import { readManifest } from '../ingest/export/manifest.ts'
import type { EventSource } from '../registry/registry.ts'
import type { EngineWorld } from './engine-targets.ts'
import { exportFolder } from './export-folder.ts'
import { exportStores } from './export-stores.ts'

/**
 * Brings an export of a source up to date that holds all stored events from a time on; answers its folder, null where none are
 * in it. One of another database or definition is written again, since no one else has put it there.
 */
export async function exportStoredEvents(
  { config, stores, clock, log }: EngineWorld,
  path: string,
  source: EventSource,
  since: Micros,
): Promise<string | null> {
  const { project, lake } = config
  const held = await readManifest(exportFolder(path, lake)).catch(() => null)
  // Without a bound unless it has one: training sets read the same folder, and need all of it.
  const lacksSome = held !== null && held.range.from !== null && held.range.from > since
  const places = exportStores({ config, stores, clock, log })
  const request = {
    ...{ project, subject: { kind: 'EVENTS', source } as const, definition: null, path },
    from: lacksSome ? startOfDay(dayOf(since)) : undefined,
    to: undefined,
    onWait: () => log.info(`${source.name}: another export is under way; waiting for its end`),
    onProgress: () => {},
  }
  const exported = await exportSubject(places, { ...request, rebuild: false }).catch((error: unknown) => {
    if (!(error instanceof OtherDefinitions || error instanceof OtherDatabase)) throw error
    log.info(`${source.name}: ${error.message}; it is written again`)
    return exportSubject(places, { ...request, rebuild: true })
  })
  return exported.parts.length === 0 ? null : path
}
