import { messageOf } from '../../errors.ts'
import type { FeatureView, StoredView } from '../../registry/registry.ts'
import type { GuardRecord } from '../../stores/guard-record.ts'
import { catchUp, type MaterializeTargets } from '../materialize/materialize-view.ts'
import { unfilledViews } from '../refill/fill-views.ts'
import { verifySample, verifyView } from '../refill/verify-view.ts'
import type { RunLog } from '../run-log.ts'

/** So many keys of a view are compared each minute. */
const keysAtOnce = 500

/** A view whose rows online are compared with those offline. */
export function isVerified(view: FeatureView): view is StoredView {
  return view.kind !== 'STREAM' && view.online && view.source === null
}

export interface VerifyTargets extends MaterializeTargets {
  readonly guardRecord: Pick<GuardRecord, 'read'>
  readonly viewId: (view: StoredView) => string
}

/**
 * Compares a sample of the view's rows; where one is missing or older online than offline, although all that has arrived is
 * materialized, all of them. Nothing while the view is being filled. False: it failed, which is logged.
 */
export async function verifyOnline(
  targets: VerifyTargets,
  view: StoredView,
  { log, sleep }: { readonly log: RunLog; readonly sleep: (ms: number) => Promise<unknown> },
): Promise<boolean> {
  try {
    if ((await unfilledViews(targets, [view])).length > 0) return true
    const { repaired } = await verifySample(targets, view, keysAtOnce)
    if (repaired === 0) return true
    // Rows may have arrived since the last run.
    await catchUp(targets, view, { sleep })
    if ((await verifySample(targets, view, keysAtOnce)).repaired === 0) return true
    const all = await verifyView(targets, view, { onWait: () => {}, onProgress: () => {} })
    log.warn(
      `${view.name}: the online store had lost rows singly; of ${all.compared} keys ${repaired + all.repaired} are written again`,
      null,
    )
    return true
  } catch (error) {
    log.warn(`${view.name}: its rows online could not be compared: ${messageOf(error)}`, error)
    return false
  }
}
