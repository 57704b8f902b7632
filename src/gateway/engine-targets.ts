import path from 'node:path'
import type { Logger } from 'pino'
import type { Config } from '../config/config.ts'
import type { Clock } from '../definitions/timestamp.ts'
import { NotAvailable } from '../errors.ts'
import type { EngineTargets } from '../ingest/snapshots/compute-by-engine.ts'
import type { EngineEvents } from '../ingest/snapshots/engine-events.ts'
import { resultFolders } from '../stores/files/result-folders.ts'
import { exportStoredEvents } from './export-stored-events.ts'
import { type EngineName, openEngine } from './open-engine.ts'
import type { Stores } from './open-stores.ts'

export interface EngineWorld {
  readonly config: Config
  readonly stores: Stores
  readonly clock: Clock
  readonly log: Logger
}

/**
 * What batch snapshots on an engine need: its exports and results stand below the folder of files.
 * @throws NotAvailable where the settings name none.
 */
export function engineTargets(
  world: EngineWorld,
  name: EngineName,
  /** Null: the stored events. */
  events: EngineEvents | null,
): EngineTargets {
  const { config, stores, clock } = world
  const root = config.filesFolder
  if (root === null)
    throw new NotAvailable(
      `batch on ${name} needs a folder for ${events === null ? 'exported events and ' : ''}what ${name} computes: set FEATUREGRAPH_FILES, in a cluster to a folder that all of its machines share`,
    )
  // An engine may have another working directory.
  const folder = path.resolve(root, config.project)
  const results = resultFolders(path.join(folder, 'batch'))
  return {
    ...{ ...stores, clock, files: stores.snapshotFiles, engine: openEngine(name, config) },
    events: events ?? {
      kind: 'STORED',
      export: (source, from) =>
        exportStoredEvents(world, path.join(folder, 'exports', source.name), source, from),
    },
    results: { fresh: (view) => results.fresh(view.id), remove: results.remove },
  }
}
