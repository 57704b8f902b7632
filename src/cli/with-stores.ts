import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Config } from '../config/config.ts'
import { readConfig, readEnvironment } from '../config/read-config.ts'
import { NotApplied } from '../errors.ts'
import { checkTables } from '../gateway/check-tables.ts'
import { openStores, refuseUnsuitable, type Stores } from '../gateway/open-stores.ts'
import { systemClock } from '../gateway/system-clock.ts'
import { reportUnapplied } from '../gateway/unapplied-changes.ts'
import { openRowLayouts, type RowLayouts } from '../online/row-layouts.ts'
import type { Registry } from '../registry/registry.ts'
import { currentVersion } from '../registry/versions/apply.ts'
import type { ServedVersion } from '../registry/versions/served-version.ts'
import { type CommandAudit, commandAudit } from './command-audit.ts'
import { commandLog } from './command-log.ts'
import { refuseMemory } from './refuse-memory.ts'

export interface CommandWorld {
  readonly config: Config
  readonly log: Logger
  /** The registry's newest version. */
  readonly served: ServedVersion
  /** Of that version. */
  readonly registry: Registry
  readonly stores: Stores
  readonly layouts: RowLayouts
  readonly audit: Pick<CommandAudit, 'done'>
  /** To be called by a command that needs the tables, once it has found its arguments good. @throws TablesDiffer */
  readonly checkTables: () => Promise<void>
}

/** A command has time: what would be too slow for a request is no failure here. */
const onlineTimeoutMs = 10_000

/**
 * WRITTEN: one that answers and cannot be used ends the command before its work, unless it may recover. READ: it is
 * logged before the work. UNUSED: the command does not wait for a check.
 */
export type OnlineUse = 'WRITTEN' | 'READ' | 'UNUSED'

/** Instead of the work where nothing has been applied yet; WAIT: the work waits until something is, or the signal aborts. */
export type WhenEmpty =
  | ((world: Pick<CommandWorld, 'config' | 'stores'>, reason: NotApplied) => Promise<void>)
  | { readonly kind: 'WAIT'; readonly signal: AbortSignal }

const emptyPollMs = 1_000

/**
 * The registry's newest version, whatever the definition files say, and the stores by the settings, closed again whatever
 * happens; how the files differ is logged. @throws NotApplied where nothing has been applied, without `whenEmpty`.
 */
export async function withStores(
  onlineUse: OnlineUse,
  work: (world: CommandWorld) => Promise<void>,
  whenEmpty?: WhenEmpty,
): Promise<void> {
  const config = readConfig(readEnvironment())
  refuseMemory(config.onlineUrl)
  const log = commandLog(config.logLevel)
  const stores = await openStores(
    { ...config, onlineTimeoutMs },
    { log, clock: systemClock, countNonFinite: () => {} },
  )
  const audit = commandAudit(config, stores.audit, log)
  try {
    if (onlineUse === 'WRITTEN') await refuseUnsuitable(stores.onlineCheck)
    if (onlineUse === 'READ') await stores.onlineCheck
    let served = await currentVersion(stores.versions)
    if (served === null) {
      const reason = new NotApplied(config.project)
      if (whenEmpty === undefined) throw reason
      if (typeof whenEmpty === 'function') return await whenEmpty({ config, stores }, reason)
      log.warn(`${reason.message}; waiting for that`)
      served = await untilApplied(stores.versions, whenEmpty.signal)
      if (served === null) return
    }
    await reportUnapplied(config.schemaFolder, served, log)
    const { registry } = served
    const layouts = await openRowLayouts(config.project, registry, stores.registry, stores.guardRecord)
    await work({
      ...{ config, log, served, registry, stores, layouts, audit },
      checkTables: () => checkTables(stores.offline, registry, log),
    })
  } finally {
    await audit.close()
    await stores.close()
  }
}

/** Null: the signal has aborted. */
async function untilApplied(
  versions: Stores['versions'],
  signal: AbortSignal,
): Promise<ServedVersion | null> {
  for (;;) {
    await sleep(emptyPollMs, undefined, { signal }).catch(() => {})
    if (signal.aborted) return null
    const served = await currentVersion(versions)
    if (served !== null) return served
  }
}
