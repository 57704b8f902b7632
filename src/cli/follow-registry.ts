import { announceProcess } from '../gateway/announce-process.ts'
import { checkTables } from '../gateway/check-tables.ts'
import { type FollowState, followVersions } from '../gateway/follow-versions.ts'
import type { Stores } from '../gateway/open-stores.ts'
import { reportDefinitions } from '../gateway/report-definitions.ts'
import { keptStores } from '../gateway/restartable.ts'
import type { ApartWork } from '../gateway/run-guard.ts'
import { systemClock } from '../gateway/system-clock.ts'
import { noGuardHold } from '../ingest/refill/hold-guard.ts'
import { openRowLayouts, type RowLayouts } from '../online/row-layouts.ts'
import type { Registry } from '../registry/registry.ts'
import type { ServedVersion } from '../registry/versions/served-version.ts'
import { guardBeside } from './guard-beside.ts'
import type { CommandWorld } from './with-stores.ts'

export interface FollowOptions {
  readonly kind: 'worker' | 'stream'
  /** Works by the version of now to the end, and does nothing beside. */
  readonly once: boolean
  readonly signal: AbortSignal
  /** As in `OpenGuardOptions`. */
  readonly apart: ApartWork | null
  readonly onFollow?: (state: () => FollowState) => void
}

/** What a run works by: one version of the registry, and stores whose locks the next run goes on with. */
export interface VersionedWork {
  readonly registry: Registry
  readonly layouts: RowLayouts
  readonly stores: Stores
}

/**
 * The work of a process that goes on until the signal aborts, while it helps to keep the online store readable: a newer
 * version of the registry ends the run under way, and the next one begins with it. What a run throws ends the whole.
 */
export async function followRegistry<Result>(
  { config, served, stores, layouts, log }: CommandWorld,
  { kind, once, signal, apart, onFollow }: FollowOptions,
  run: (work: VersionedWork, signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  let current: { readonly served: ServedVersion; readonly layouts: RowLayouts } = { served, layouts }
  let next: typeof current | null = null
  let ending = new AbortController()
  const announced = await announceProcess(stores, {
    ...{ kind, runs: once ? [] : [kind], log },
    served: () => current.served,
  })
  const follow = () =>
    followVersions({ ...stores, log }, served, async (version) => {
      const { registry } = version
      await checkTables(stores.offline, registry, log)
      next = {
        served: version,
        layouts: await openRowLayouts(config.project, registry, stores.registry, stores.guardRecord),
      }
      ending.abort()
    })
  const follower = once ? null : follow()
  if (follower) onFollow?.(follower.state)
  const kept = keptStores(announced.stores, () => next !== null && !signal.aborted)
  const hold = noGuardHold()

  async function runOnce(): Promise<Result> {
    const { registry } = current.served
    for (const line of await reportDefinitions(stores, registry, systemClock)) log.info(line)
    const until = AbortSignal.any([signal, ending.signal])
    const work = { registry, layouts: current.layouts, stores: kept }
    if (once) return await run(work, until)
    return await guardBeside({ ...work, clock: systemClock, log }, { signal: until, apart, hold }, () =>
      run(work, until),
    )
  }

  try {
    for (;;) {
      const result = await runOnce()
      if (signal.aborted || next === null) return result
      current = next
      next = null
      ending = new AbortController()
    }
  } finally {
    await follower?.stop()
    await announced.leave()
    await Promise.all([stores.workerLock.release(), stores.streamLock.release()])
  }
}
