import type { Stores } from './open-stores.ts'

/** Work that goes on until it is stopped, on one world after the other. */
export interface Restartable<World> {
  /** Ends the run under way, and begins one on this world; of several worlds that wait the last. */
  readonly start: (world: World) => void
  /** What is under way is waited for. */
  readonly stop: () => Promise<void>
  /** True while a run ends for the next one. */
  readonly isRestarting: () => boolean
}

export interface RestartableOptions<World> {
  /** Resolves when the signal aborts. */
  readonly run: (world: World, signal: AbortSignal) => Promise<unknown>
  readonly onStart?: () => void
  /** A run ended: with an error, or because it was to (null). */
  readonly onEnd: (error: unknown, how: { readonly isLast: boolean }) => void
}

export function restartable<World>({ run, onStart, onEnd }: RestartableOptions<World>): Restartable<World> {
  let stopping = new AbortController()
  let next: { readonly world: World } | null = null
  let running: Promise<void> | null = null
  let isStopped = false

  async function goOn(): Promise<void> {
    while (next !== null && !isStopped) {
      const { world } = next
      next = null
      stopping = new AbortController()
      onStart?.()
      const failure = await run(world, stopping.signal).then(
        () => null,
        (error: unknown) => error,
      )
      onEnd(failure, { isLast: next === null || isStopped })
    }
    running = null
  }

  return {
    start(world) {
      next = { world }
      stopping.abort()
      running ??= goOn()
    },
    async stop() {
      isStopped = true
      stopping.abort()
      await running
    },
    isRestarting: () => next !== null && !isStopped,
  }
}

/** The stores, whose locks and leases of background work stay held from one run to the next. */
export function keptStores(stores: Stores, isRestarting: () => boolean): Stores {
  const kept = <Held extends { readonly release: () => Promise<void> }>(held: Held): Held => ({
    ...held,
    release: async () => (isRestarting() ? undefined : await held.release()),
  })
  const { workerLock, streamLock, guardLease } = stores
  return {
    ...stores,
    ...{ workerLock: kept(workerLock), streamLock: kept(streamLock), guardLease: kept(guardLease) },
  }
}
