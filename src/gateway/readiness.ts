import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../config.ts'
import { StoreUnsuitable } from '../errors.ts'
import { fillProgress } from '../ingest/refill/fill-progress.ts'
import type { GuardReport } from '../online/guard.ts'
import type { Dependency, OnlineState } from '../server/http-server.ts'
import type { FollowState } from './follow-versions.ts'
import type { Stores } from './open-stores.ts'

/** A probe asks every few seconds: what takes longer than this is as good as down. */
const readinessTimeoutMs = 2_000

export async function checkDependencies(
  stores: Pick<Stores, 'online' | 'offline'>,
): Promise<Readonly<Record<string, Dependency>>> {
  const [online, offline] = await Promise.all([readiness(stores.online), readiness(stores.offline)])
  return { [`online (${stores.online.name})`]: online, 'offline (postgres)': offline }
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

async function readiness(store: { readonly ping: () => Promise<void> }): Promise<Dependency> {
  const answered = store.ping().then(
    (): Dependency => ({ up: true, failed: null }),
    (error: unknown): Dependency => ({ up: false, failed: error instanceof StoreUnsuitable ? error : null }),
  )
  return await Promise.race([
    answered,
    sleep<Dependency>(readinessTimeoutMs, { up: false, failed: null }, { ref: false }),
  ])
}
