import { formatDuration } from '../../definitions/duration.ts'
import type { StoredView } from '../../registry/registry.ts'
import type { GuardLease, MarkedView, RenewedView } from '../../stores/guard-lease.ts'
import { filledViews, type GuardRecord, type RecordedGuard } from '../../stores/guard-record.ts'
import { type Guard, guardText, parseGuard } from '../../stores/online-value/guard-text.ts'
import type { TileGenerations } from '../../stores/tile-generations.ts'
import type { TombstoneLog } from '../../stores/tombstone-log.ts'
import { rewriteTombstones } from '../deletion/online-rows.ts'
import { catchUp, type MaterializeTargets } from '../materialize/materialize-view.ts'
import type { RunLog } from '../run-log.ts'
import type { TilePlaces } from '../tiles/tile-generation.ts'

export interface CheckTargets extends MaterializeTargets, Pick<TilePlaces, 'tilePrefix'> {
  readonly guardLease: GuardLease
  readonly guardRecord: GuardRecord
  readonly tombstones: Pick<TombstoneLog, 'list'>
  readonly generations: Pick<TileGenerations, 'list'>
  readonly viewId: (view: StoredView) => string
  readonly keyPrefixOf: (viewId: string, generation: number) => string
}

export interface CheckOptions {
  /** The guard's, that was recorded or written last. */
  readonly lastTick: number
  /** The stream's leader has so long to catch up from the markers that the store has now. */
  readonly tilesMs: number
  /** Catches the tiles up once, where no process of the project does; resolves at once where one does. */
  readonly followTiles: () => Promise<void>
  readonly sleep: (ms: number) => Promise<unknown>
  readonly signal: AbortSignal
  readonly log: RunLog
}

/** A guard that stands in a store whose contents are known, and the connection over which that was found. */
export interface ProvenGuard {
  readonly guard: Guard
  readonly connection: number
}

/** Tombstones are logged for an hour: tiles of a state that is older than that may lack deletions. A tick takes 250 ms. */
const oldestTicks = 4 * 3_600
const pollMs = 50
/** A leader answers in less. */
const leaderMs = 1_000

/**
 * Finds out what the online store still holds, and lets it be read on: in the same epoch where nothing was lost but what can
 * be written again at once, else in a new one. To be called by the holder of the lease before it moves the guard for the
 * first time, and whenever its connection was remade or the guard is not as it left it.
 *
 * A store loses everything, or the tail of its commands. So a view whose marker it has lacks at most the rows that have
 * arrived since that view's watermark, and tombstones of later deletions: both are written again. A view whose marker it
 * lacks gets other keys, under which it is filled, so that nothing of an older state is ever read. Tiles go on from their own
 * markers; their leader is waited for, and where it does not answer in time they are read again once it has.
 *
 * Null: the store is away, its connection broke meanwhile, or the lease is lost. Rejects with `StoreFailed`.
 */
export async function checkOnlineStore(
  targets: CheckTargets,
  views: readonly StoredView[],
  options: CheckOptions,
): Promise<ProvenGuard | null> {
  const { online, guardLease, guardRecord } = targets
  const connection = online.writeConnection()
  if (connection === null) return null
  const text = await online.readMarker(online.guardName)
  const found = parseGuard(text)
  const recorded = await guardRecord.read()
  if (!online.losesTail && found?.epoch === recorded.epoch) return { guard: found, connection }
  const check = await guardLease.beginCheck()
  if (check === 0) return null
  const marked = await guardLease.markedViews()
  const holding = await markersHeld(targets, marked)
  const areTilesOld = await rewriteTombstones(online, await targets.tombstones.list())
  const ours = new Map(views.map((view) => [targets.viewId(view), view]))
  const caughtUp: string[] = []
  for (const { viewId } of marked) {
    const view = ours.get(viewId)
    if (!view || !holding.has(viewId)) continue
    await catchUp(targets, view, options)
    caughtUp.push(viewId)
  }

  const put = async (guard: Guard): Promise<ProvenGuard | null> => {
    if (online.writeConnection() !== connection) return null
    const isPut = await online.moveMarker(online.guardName, text, guardText(guard))
    return isPut ? { guard, connection } : null
  }
  const tick = Math.max(found?.tick ?? 0, options.lastTick) + 1
  const isTooOld = found === null || options.lastTick - found.tick > oldestTicks
  const isWhole =
    found?.epoch === recorded.epoch &&
    !areTilesOld &&
    !isTooOld &&
    [...filledViews(recorded)].every((viewId) => caughtUp.includes(viewId))
  if (
    isWhole &&
    (await tilesFollow(guardLease, check, options)) &&
    (await isUnchanged(guardRecord, recorded))
  )
    return await put({ epoch: recorded.epoch, tick })

  const lost = marked.filter(({ viewId }) => !holding.has(viewId))
  if (options.signal.aborted) return null
  const epoch = await guardLease.beginEpoch({
    tick,
    complete: caughtUp,
    renewed: await renewed(targets, recorded, lost),
    tiles: recorded.epoch > 0 && (isTooOld || areTilesOld) ? { kind: 'RENEW' } : { kind: 'KEEP', check },
  })
  if (epoch === null) return null
  if (recorded.epoch > 0) reportLoss(options, found, lost.length)
  return await put({ epoch, tick })
}

/** Ids of the views whose marker the store has. */
async function markersHeld(
  { online, keyPrefixOf }: CheckTargets,
  marked: readonly MarkedView[],
): Promise<ReadonlySet<string>> {
  const found = await Promise.all(
    marked.map(({ viewId, generation }) => online.readMarker(keyPrefixOf(viewId, generation))),
  )
  const held = marked.filter(({ markers }, index) => markers.includes(found[index] ?? ''))
  return new Set(held.map(({ viewId }) => viewId))
}

/** A view that was filled meanwhile was not checked. */
async function isUnchanged(guardRecord: Pick<GuardRecord, 'read'>, before: RecordedGuard): Promise<boolean> {
  const now = await guardRecord.read()
  return now.epoch === before.epoch && filledViews(now).size === filledViews(before).size
}

async function tilesFollow(
  guardLease: GuardLease,
  check: number,
  { tilesMs, followTiles, sleep, signal }: CheckOptions,
): Promise<boolean> {
  for (let waitedMs = 0; !(await guardLease.tilesCaughtUp(check)); waitedMs += pollMs) {
    if (waitedMs >= tilesMs || signal.aborted) return false
    if (waitedMs === leaderMs) await followTiles()
    await sleep(pollMs)
  }
  return true
}

/** The next generations of the views. A number is passed over where its keys would meet others: a prefix has 24 bits. */
async function renewed(
  { generations, keyPrefixOf, tilePrefix }: CheckTargets,
  recorded: RecordedGuard,
  lost: readonly MarkedView[],
): Promise<readonly RenewedView[]> {
  if (lost.length === 0) return []
  const taken = new Set([
    ...[...recorded.generations].map(([viewId, generation]) => keyPrefixOf(viewId, generation)),
    ...(await generations.list()).map((one) => tilePrefix(one, one.generation)),
  ])
  return lost.map(({ viewId, generation: before }) => {
    let generation = before + 1
    while (taken.has(keyPrefixOf(viewId, generation))) generation += 1
    taken.add(keyPrefixOf(viewId, generation))
    return { viewId, generation, oldPrefix: keyPrefixOf(viewId, before) }
  })
}

function reportLoss({ log, lastTick }: CheckOptions, found: Guard | null, lostViews: number): void {
  const behind = found === null ? 0 : Math.max(0, lastTick - found.tick) * 250_000
  const what = found === null ? 'was emptied' : `was set back by ${formatDuration(behind) || 'a moment'}`
  const views = lostViews === 0 ? 'every view still has its rows' : `${lostViews} view(s) are filled again`
  log.warn(`the online store ${what}: ${views}`, null)
}
