import type { StoredView } from '../../registry/registry.ts'
import { filledViews, type GuardRecord } from '../../stores/guard-record.ts'
import { parseGuard } from '../../stores/online-value/guard-text.ts'
import { type MaterializeTargets, materialize } from '../materialize/materialize-view.ts'
import type { RunLog } from '../run-log.ts'

export interface FillTargets extends MaterializeTargets {
  readonly guardRecord: GuardRecord
  readonly viewId: (view: StoredView) => string
  readonly keyPrefix: (view: StoredView, generation: number) => string
}

export interface FillOptions {
  /** Unique; any text. */
  readonly newMarker: () => string
  readonly sleep: (ms: number) => Promise<unknown>
  /** Materializes a view of many rows in a process of its own; null: that is done here too. Rejects where it fails. */
  readonly materializeApart: ((view: StoredView) => Promise<void>) | null
  readonly log: RunLog
}

/** So many rows are packed and written in a fraction of a second. */
const rowsHere = 20_000

/** Views whose rows are not all online in the epoch that is recorded now. One round trip. */
export async function unfilledViews(
  {
    guardRecord,
    viewId,
  }: { readonly guardRecord: Pick<GuardRecord, 'read'>; readonly viewId: (view: StoredView) => string },
  views: readonly StoredView[],
): Promise<readonly StoredView[]> {
  const filled = filledViews(await guardRecord.read())
  return views.filter((view) => !filled.has(viewId(view)))
}

/**
 * Materializes the view, and records that all of its rows are online where the store then holds the marker that stands
 * after them, in the epoch that is recorded. False: it holds another, or another guard; it is to be filled again.
 * @throws StoreFailed; whatever `materializeApart` rejects with.
 */
export async function fillView(
  targets: FillTargets,
  view: StoredView,
  options: FillOptions,
): Promise<boolean> {
  const { offline, online, runs, guardRecord } = targets
  const { newMarker, sleep, materializeApart, log } = options
  const started = performance.now()
  if (materializeApart !== null && (await offline.isLargerThan(view, rowsHere))) {
    log.info(`${view.name}: the online store is being filled with its rows`)
    await materializeApart(view)
  } else {
    const quietly = { onWait: () => {}, onProgress: () => {} }
    await materialize(targets, view, { range: null, newMarker, sleep, ...quietly })
  }
  const { epoch, generations } = await guardRecord.read()
  const viewId = targets.viewId(view)
  const generation = generations.get(viewId) ?? 0
  const watermark = await runs.readWatermark(view.id)
  const connection = online.writeConnection()
  const marker = await online.readMarker(targets.keyPrefix(view, generation))
  const guard = parseGuard(await online.readMarker(online.guardName))
  if (watermark === null || marker !== watermark.marker || guard?.epoch !== epoch) return false
  if (online.writeConnection() !== connection) return false
  if (!(await guardRecord.recordFill({ epoch, viewId, generation }))) return false
  const seconds = ((performance.now() - started) / 1_000).toFixed(1)
  log.info(`${view.name}: all of its rows are in the online store, after ${seconds} s`)
  return true
}
