import type { Clock, Micros } from '../../definitions/timestamp.ts'
import { StoreFailed } from '../../errors.ts'
import type { EventSource, FeatureView, StreamView } from '../../registry/registry.ts'
import type { EventStore, KeptPartition } from '../../stores/event-store.ts'
import type { WorkerLock } from '../../stores/leader-lock.ts'
import type { OnlineStore } from '../../stores/online-store.ts'
import type { TileGeneration, TileGenerations } from '../../stores/tile-generations.ts'
import type { StreamLog } from '../run-log.ts'
import type { StreamObserver } from '../stream-observer.ts'
import { type EventApplier, eventApplier } from './apply-events.ts'
import { followedSources } from './followed-sources.ts'
import { beginGeneration, generationsOf, type TilePlaces } from './tile-generation.ts'

export interface FollowTargets extends TilePlaces {
  readonly events: EventStore
  readonly online: OnlineStore
  readonly generations: TileGenerations
  /** One process of a project applies events at a time. */
  readonly streamLock: WorkerLock
  readonly clock: Clock
}

export interface FollowOptions {
  /** Ends when nothing is left to apply, or when another process has the lock; a failure is thrown. */
  readonly once: boolean
  readonly signal: AbortSignal
  /** Resolves early when the signal aborts. */
  readonly pause: (ms: number) => Promise<unknown>
  readonly observe: Pick<StreamObserver, 'applied' | 'level'>
  readonly log: StreamLog
}

const idleMs = 100
const standByMs = 3_000
const lockBeatMs = 3_000
const failedMs = 1_000
/** How often it is looked for generations that were begun, and told how level they are. */
const generationsMs = 500
/** Readers are on their way from a generation that retires to the one that is live. */
const retiringMicros: Micros = 60_000_000
const maxEntries = 200_000
const eventsAtOnce = 5_000

/** A generation at work. */
interface Followed {
  readonly view: StreamView
  readonly number: number
  readonly applier: EventApplier
  state: TileGeneration['state']
  /** All that is kept was in the tiles at one moment, since this process follows. */
  wasLevel: boolean
  /** All that had happened in the stream by then is in the tiles. */
  levelAt: Micros | null
}

/**
 * Keeps the tiles of all streamed views level with the kept events, while this process holds the project's lock; without
 * it stands by. A view whose windows have no tiles yet gets a generation, and one that is being built goes live as soon as
 * it is level. A store that fails is tried again; nothing is lost, since what counts are the kept events and the markers.
 */
export async function followEvents(
  targets: FollowTargets,
  views: readonly FeatureView[],
  { once, signal, pause, observe, log }: FollowOptions,
): Promise<void> {
  const sources = followedSources(views)
  if (sources.size === 0) {
    // Whoever runs it waits for its end, which is a failure or the signal.
    while (!once && !signal.aborted) await pause(standByMs)
    return
  }
  const lead = leadership(targets, sources, { observe, log })
  let leads = false
  let askedAt = Number.NEGATIVE_INFINITY
  try {
    while (!signal.aborted) {
      try {
        const now = targets.clock() / 1_000
        if (!leads || now - askedAt > lockBeatMs) {
          const led = leads
          leads = await targets.streamLock.hold()
          askedAt = now
          if (leads && !led) {
            log.info('this process applies events to the streamed views')
            lead.begin()
          }
        }
        if (!leads) {
          if (once) return
          await pause(standByMs)
          continue
        }
        const caughtUp = await lead.round()
        if (caughtUp && once) return
        if (caughtUp) await pause(idleMs)
      } catch (error) {
        if (once || !(error instanceof StoreFailed)) throw error
        log.warn(`events could not be applied: ${error.message}`, error)
        // The lock may be gone; what is in memory is as right as before.
        askedAt = Number.NEGATIVE_INFINITY
        await pause(failedMs)
      }
    }
  } finally {
    await targets.streamLock.release()
  }
}

/** What the process that holds the lock does. */
function leadership(
  targets: FollowTargets,
  sources: ReadonlyMap<EventSource, readonly StreamView[]>,
  { observe, log }: Pick<FollowOptions, 'observe' | 'log'>,
) {
  const { events, generations, clock } = targets
  const views = [...sources.values()].flat()
  const followed = new Map<string, Followed>()
  let lookedAt = Number.NEGATIVE_INFINITY
  let deletionMark: string | null = null

  /** Generations as they stand; where a view has none in use, one is begun. */
  async function look(): Promise<void> {
    const before = await generations.list()
    const lacking = views.filter((view) =>
      generationsOf(targets, view, before).every(({ state }) => state === 'RETIRED'),
    )
    for (const view of lacking) await beginGeneration(targets, view, before)
    const known = lacking.length === 0 ? before : await generations.list()
    const inUse = new Set<string>()
    for (const view of views) {
      for (const { generation, state, changedAt } of generationsOf(targets, view, known)) {
        if (state === 'RETIRED' && clock() - changedAt > retiringMicros) continue
        const name = `${view.name} ${generation}`
        inUse.add(name)
        const one = followed.get(name) ?? follow(view, generation, state)
        one.state = state
        followed.set(name, one)
      }
    }
    for (const name of followed.keys()) if (!inUse.has(name)) followed.delete(name)
  }

  function follow(view: StreamView, number: number, state: TileGeneration['state']): Followed {
    const whose = targets.tiledView(view)
    const tiles = { view, prefix: targets.tilePrefix(whose, number), fingerprint: whose.fingerprint }
    const applier = eventApplier(targets, tiles, { maxEntries, eventsAtOnce })
    return { view, number, applier, state, wasLevel: false, levelAt: null }
  }

  async function applySource(source: EventSource): Promise<boolean> {
    const at = clock()
    const partitions = await events.positions(source)
    let caughtUp = true
    for (const one of followed.values()) {
      if (one.view.events !== source) continue
      const started = performance.now()
      const did = await one.applier.applyNext(partitions)
      if (did.events > 0) observe.applied(one.view, did.events, (performance.now() - started) / 1_000)
      if (did.caughtUp) {
        one.wasLevel = true
        one.levelAt = levelOf(at, partitions) ?? one.levelAt
      }
      caughtUp = caughtUp && did.caughtUp
    }
    return caughtUp
  }

  async function tellLevels(): Promise<void> {
    for (const { view, state, levelAt } of followed.values())
      if (state === 'LIVE' && levelAt !== null) observe.level(view, levelAt)
    await generations.recordLevels(
      [...followed.values()].flatMap(({ view, number, levelAt }) =>
        levelAt === null ? [] : [{ ...targets.tiledView(view), generation: number, at: levelAt }],
      ),
    )
  }

  return {
    /** Memory is of a time when another may have written. */
    begin(): void {
      followed.clear()
      lookedAt = Number.NEGATIVE_INFINITY
    },
    /** True: nothing that was kept when it began is left. */
    async round(): Promise<boolean> {
      const now = clock() / 1_000
      const isDue = now - lookedAt >= generationsMs
      if (isDue) {
        await look()
        lookedAt = now
      }
      const mark = await events.deletionMark()
      if (mark !== deletionMark) for (const { applier } of followed.values()) applier.forget()
      deletionMark = mark
      let caughtUp = true
      for (const source of sources.keys()) caughtUp = (await applySource(source)) && caughtUp
      const built = [...followed.values()].filter(({ state, wasLevel }) => state === 'BUILDING' && wasLevel)
      if (isDue || built.length > 0) await tellLevels()
      for (const { view, number } of built) {
        await generations.goLive(targets.tiledView(view), number, clock())
        log.info(`feature view ${view.name} is read from generation ${number} of its tiles now`)
        lookedAt = Number.NEGATIVE_INFINITY
      }
      return caughtUp
    },
  }
}

/** What was kept at `at` is applied; a stream that is behind takes its own time back. Null: one was never level yet. */
function levelOf(at: Micros, partitions: readonly KeptPartition[]): Micros | null {
  const streamed = partitions.filter(({ isStreamed }) => isStreamed).map(({ levelAt }) => levelAt)
  return streamed.includes(null) ? null : Math.min(at, ...streamed.flatMap((one) => one ?? []))
}
