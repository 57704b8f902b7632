import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../config/config.ts'
import { StoreUnsuitable } from '../errors.ts'
import { fillProgress } from '../ingest/refill/fill-progress.ts'
import type { GuardReport } from '../online/guard.ts'
import type { Dependencies, Dependency, OnlineState } from '../server/readyz.ts'
import type { FollowState } from './follow-versions.ts'
import type { Stores } from './open-stores.ts'

/** A probe asks every few seconds: what takes longer than this is as good as down. */
const readinessTimeoutMs = 2_000

export async function checkDependencies(stores: Pick<Stores, 'online' | 'probes'>): Promise<Dependencies> {
  const [online, offline] = await Promise.all([
    readiness(stores.probes.online),
    readiness(stores.probes.offline),
  ])
  return {
    online: { ...online, name: `online (${stores.online.name})` },
    offline: { ...offline, name: 'offline (postgres)' },
  }
}

export async function onlineState(
  { refused, views }: GuardReport,
  { runs }: Pick<Stores, 'runs'>,
  { onlineFallback }: Pick<Config, 'onlineFallback'>,
): Promise<OnlineState> {
  const lacking = [...views].flatMap(([{ id, name: view }, reason]) =>
    reason === null ? [] : [{ id, view, reason }],
  )
  const unknown: ReadonlyMap<string, number> = new Map()
  // A database that hangs does not keep the probe waiting.
  const late = () => sleep(readinessTimeoutMs, unknown, { ref: false })
  const progress =
    lacking.length === 0 ? unknown : await Promise.race([fillProgress(runs).catch(() => unknown), late()])
  return {
    refused: onlineFallback ? null : refused,
    answeredOffline: onlineFallback,
    views: lacking.map(({ id, ...one }) => ({ ...one, rowsRead: progress.get(id) ?? null })),
  }
}

/** For `/readyz`; whatever it says, requests are answered, of the version that is served. */
export function registryState({ served, newest, problem }: FollowState): object {
  return {
    registryVersion: served,
    ...(newest === served ? {} : { newestRegistryVersion: newest }),
    ...(problem === null ? {} : { registryProblem: problem }),
  }
}

type Readiness = Omit<Dependency, 'name'>

async function readiness(probe: () => Promise<void>): Promise<Readiness> {
  const answered = probe().then(
    (): Readiness => ({ up: true, failed: null }),
    (error: unknown): Readiness => ({ up: false, failed: error instanceof StoreUnsuitable ? error : null }),
  )
  return await Promise.race([
    answered,
    sleep<Readiness>(readinessTimeoutMs, { up: false, failed: null }, { ref: false }),
  ])
}
