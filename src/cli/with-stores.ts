import type { Logger } from 'pino'
import { type Config, readConfig, readEnvironment } from '../config.ts'
import { makeTables } from '../gateway/make-tables.ts'
import { openStores, refuseUnsuitable, type Stores } from '../gateway/open-stores.ts'
import { systemClock } from '../gateway/system-clock.ts'
import { openRowLayouts, type RowLayouts } from '../online/row-layouts.ts'
import { loadRegistry } from '../registry/load.ts'
import type { Registry } from '../registry/registry.ts'
import { commandLog } from './command-log.ts'
import { refuseMemory } from './refuse-memory.ts'

export interface CommandWorld {
  readonly config: Config
  readonly log: Logger
  readonly registry: Registry
  readonly stores: Stores
  readonly layouts: RowLayouts
  /**
   * To be called by a command that needs the tables, once it has found its arguments good: one that is refused adds no
   * column. @throws TablesDiffer
   */
  readonly makeTables: () => Promise<void>
}

/** A command has time: what would be too slow for a request is no failure here. */
const onlineTimeoutMs = 10_000

/**
 * WRITTEN: one that answers and cannot be used ends the command before its work, unless it may recover. READ: it is
 * logged before the work. UNUSED: the command does not wait for a check.
 */
export type OnlineUse = 'WRITTEN' | 'READ' | 'UNUSED'

/** Definitions and stores by the settings, tables made, closed again whatever happens. */
export async function withStores(
  onlineUse: OnlineUse,
  work: (world: CommandWorld) => Promise<void>,
): Promise<void> {
  const config = readConfig(readEnvironment())
  refuseMemory(config.onlineUrl)
  const registry = await loadRegistry(config.schemaFolder)
  const log = commandLog(config.logLevel)
  const stores = await openStores(
    { ...config, onlineTimeoutMs },
    { log, clock: systemClock, countNonFinite: () => {} },
  )
  try {
    if (onlineUse === 'WRITTEN') await refuseUnsuitable(stores.onlineCheck)
    if (onlineUse === 'READ') await stores.onlineCheck
    const layouts = await openRowLayouts(config.project, registry, stores.registry, stores.guardRecord)
    await work({
      ...{ config, log, registry, stores, layouts },
      makeTables: () => makeTables(stores.offline, registry, log),
    })
  } finally {
    await stores.close()
  }
}
