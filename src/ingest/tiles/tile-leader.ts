import type { Clock, Micros } from '../../definitions/timestamp.ts'
import type { EventSource, StreamView } from '../../registry/registry.ts'
import type { StoredPartition } from '../../stores/event-positions.ts'
import type { EventStore } from '../../stores/event-store.ts'
import type { GuardMoment, GuardRecord } from '../../stores/guard-record.ts'
import type { OnlineStore } from '../../stores/online-store.ts'
import type { TileGeneration, TileGenerations } from '../../stores/tile-generations.ts'
import type { RunLog } from '../run-log.ts'
import type { StreamObserver } from '../stream-observer.ts'
import { type EventApplier, eventApplier } from './apply-events.ts'
import { beginGeneration, generationsOf, type TilePlaces } from './tile-generation.ts'

export interface LeadTargets extends TilePlaces {
  readonly events: EventStore
  readonly online: OnlineStore
  readonly generations: TileGenerations
  readonly guardRecord: Pick<GuardRecord, 'moment'>
  readonly clock: Clock
}

interface LeadOptions {
  readonly observe: Pick<StreamObserver, 'applied' | 'caughtUp'>
  readonly log: RunLog
}

/** What the one process does that writes a project's tiles. */
export interface TileLeader {
  /** Forgets what is in memory: it is of a time when another process may have written. */
  readonly begin: () => void
  /** Applies the next stored events to every generation in use. True: nothing that was stored when it began is left. */
  readonly round: () => Promise<boolean>
}

/** How often generations are read from Postgres, and how far they are caught up is recorded there. */
const generationsMs = 500
/** Readers are on their way from a generation that retires to the one that is live. */
const retiringMicros: Micros = 60_000_000
/** Their tiles expire, their markers do not. */
const forgottenAfter: Micros = 3_600_000_000
const maxEntries = 200_000
const eventsAtOnce = 5_000

/** A generation at work. */
interface Followed {
  readonly view: StreamView
  readonly number: number
  readonly applier: EventApplier
  state: TileGeneration['state']
  /** All that is stored was in the tiles at one moment, since this process follows. */
  wasCaughtUp: boolean
  /** All that had happened in the stream by then is in the tiles. */
  watermark: Micros | null
  /** What was known of the online store before they were caught up last. */
  caughtUpIn: GuardMoment | null
}

export function tileLeader(
  targets: LeadTargets,
  sources: ReadonlyMap<EventSource, readonly StreamView[]>,
  { observe, log }: LeadOptions,
): TileLeader {
  const { events, generations, guardRecord, clock } = targets
  const views = [...sources.values()].flat()
  const followed = new Map<string, Followed>()
  let checkedAt = Number.NEGATIVE_INFINITY
  let deletionMark: string | null = null
  /** The tiles of every check of the online store are caught up from the markers that it has since. */
  let moment: GuardMoment | null = null
  /** By the database's clock, as of this round: windows are cut and generations retire by it. */
  let now: Micros = Number.NEGATIVE_INFINITY

  /** Generations as they stand; where a view has none in use, or one with moments that were corrected since, one is begun. */
  async function poll(): Promise<void> {
    const corrections = new Map<EventSource, number>()
    for (const source of sources.keys()) corrections.set(source, await events.correctMoments(source))
    const before = await generations.list()
    const lacking = views.filter((view) => {
      const inUse = generationsOf(targets, view, before).filter(({ state }) => state !== 'RETIRED')
      const latest = corrections.get(view.events) ?? 0
      return inUse.every(({ state, correction }) => state === 'LIVE' && correction < latest)
    })
    for (const view of lacking) await beginGeneration(targets, view, before)
    const known = lacking.length === 0 ? before : await generations.list()
    const inUse = new Set<string>()
    for (const view of views) {
      for (const { generation, state, changedAt } of generationsOf(targets, view, known)) {
        if (state === 'RETIRED' && now - changedAt > retiringMicros) continue
        const name = `${view.name} ${generation}`
        inUse.add(name)
        const one = followed.get(name) ?? follow(view, generation, state)
        one.state = state
        followed.set(name, one)
      }
    }
    for (const name of followed.keys()) if (!inUse.has(name)) followed.delete(name)
    await forgetOld(known)
  }

  /** Whoever was on the way to one has arrived; the last number of each stays taken. */
  async function forgetOld(known: readonly TileGeneration[]): Promise<void> {
    for (const one of known) {
      if (one.state !== 'RETIRED' || now - one.changedAt < forgottenAfter) continue
      const { viewId, fingerprint, generation } = one
      const isLast = !known.some(
        (other) =>
          other.viewId === viewId && other.fingerprint === fingerprint && other.generation > generation,
      )
      if (!isLast) await generations.forget(one, generation, targets.tilePrefix(one, generation))
    }
  }

  function follow(view: StreamView, number: number, state: TileGeneration['state']): Followed {
    const whose = targets.tiledView(view)
    const tiles = { view, prefix: targets.tilePrefix(whose, number), fingerprint: whose.fingerprint }
    const applier = eventApplier({ ...targets, clock: () => now }, tiles, { maxEntries, eventsAtOnce })
    return { view, number, applier, state, wasCaughtUp: false, watermark: null, caughtUpIn: null }
  }

  async function applySource(source: EventSource): Promise<boolean> {
    const at = now
    const partitions = await events.positions(source)
    let caughtUp = true
    for (const one of followed.values()) {
      if (one.view.events !== source) continue
      const started = performance.now()
      const did = await one.applier.applyNext(partitions)
      if (did.events > 0) observe.applied(one.view, did.events, (performance.now() - started) / 1_000)
      if (did.caughtUp) {
        one.wasCaughtUp = true
        one.watermark = watermarkOf(at, partitions) ?? one.watermark
        one.caughtUpIn = moment
      }
      caughtUp = caughtUp && did.caughtUp
    }
    return caughtUp
  }

  async function reportWatermarks(): Promise<void> {
    for (const { view, state, watermark } of followed.values())
      if (state === 'LIVE' && watermark !== null) observe.caughtUp(view, watermark)
    await generations.recordWatermarks(
      [...followed.values()].flatMap(({ view, number, watermark: at, caughtUpIn }) =>
        at === null && caughtUpIn === null
          ? []
          : [{ ...targets.tiledView(view), generation: number, at, caughtUpIn }],
      ),
    )
  }

  return {
    begin() {
      followed.clear()
      checkedAt = Number.NEGATIVE_INFINITY
    },
    async round() {
      const before = moment
      now = await events.now()
      const time = clock() / 1_000
      // Either way: a clock that was set back must not stop it.
      const isDue = Math.abs(time - checkedAt) >= generationsMs
      if (isDue) {
        moment = await guardRecord.moment()
        await poll()
        checkedAt = time
      }
      const mark = await events.deletionMark()
      const isChecked = before?.check !== moment?.check
      if (mark !== deletionMark || isChecked) for (const { applier } of followed.values()) applier.forget()
      deletionMark = mark
      let caughtUp = true
      for (const source of sources.keys()) caughtUp = (await applySource(source)) && caughtUp
      const built = [...followed.values()].filter(
        ({ state, wasCaughtUp }) => state === 'BUILDING' && wasCaughtUp,
      )
      if (isDue || built.length > 0) await reportWatermarks()
      for (const { view, number } of built) {
        await generations.goLive(targets.tiledView(view), number, now)
        log.info(`feature view ${view.name} is read from generation ${number} of its tiles now`)
        checkedAt = Number.NEGATIVE_INFINITY
      }
      return caughtUp
    },
  }
}

/** What was stored at `at` is applied; a stream that is behind takes its own time back. Null: one was never caught up yet. */
function watermarkOf(at: Micros, partitions: readonly StoredPartition[]): Micros | null {
  const streamed = partitions.filter(({ isStreamed }) => isStreamed).map(({ watermark }) => watermark)
  return streamed.includes(null) ? null : Math.min(at, ...streamed.flatMap((one) => one ?? []))
}
