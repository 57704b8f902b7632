import type { Clock, Micros } from '../../definitions/timestamp.ts'
import type { BatchView } from '../../registry/registry.ts'
import type { RunStore } from '../../stores/run-store.ts'
import type { SnapshotStore } from '../../stores/snapshot-store.ts'
import type { ViolationStore } from '../../stores/violation-store.ts'
import { foldSnapshots } from './fold-snapshots.ts'
import { type BatchScope, planRun } from './plan-run.ts'
import { type RowOptions, snapshotBlock, timesAtOnce } from './snapshot-block.ts'
import { planSnapshots } from './snapshot-plan.ts'

export interface BatchTargets {
  readonly snapshots: SnapshotStore
  readonly runs: RunStore
  readonly violations: ViolationStore
  readonly clock: Clock
}

export interface BatchOptions extends RowOptions {
  /** Another run of the view is under way and is waited for. */
  readonly onWait: () => void
  /** Keys done so far, of some snapshots. */
  readonly onProgress: (keys: number) => void
}

export interface BatchComputed {
  /** Oldest first; a recorded snapshot that follows a computed one is computed too, since keys may close there. */
  readonly times: readonly Micros[]
  /** Stale ones that stay as they are, oldest first: of their events some were dropped. */
  readonly expired: readonly Micros[]
  readonly events: number
  readonly written: number
}

/** Computes some snapshots and keeps what they lack, on whichever engine. */
export type ComputeBatch = (
  view: BatchView,
  scope: BatchScope,
  options: BatchOptions,
) => Promise<Pick<BatchComputed, 'times' | 'written'>>

/**
 * Computes snapshots of a view and keeps what they lack: nothing for what is equal, a later created row for what late
 * events changed. The events are scanned once for up to 366 snapshots, all of which are stored together or not at all; so a
 * run that was interrupted is continued by running it again. One run per view at a time.
 * @throws RowCountRefused when a snapshot has a number of rows that its view does not accept; HistoryExpired when events
 * of a time that was asked for were dropped; StoreFailed.
 */
export async function computeSnapshots(
  targets: BatchTargets,
  view: BatchView,
  scope: BatchScope,
  options: BatchOptions,
): Promise<BatchComputed> {
  const { runs, clock } = targets
  return await runs.withRun(batchRun(view, scope), { now: clock, onWait: options.onWait }, async () => {
    const result = await compute(targets, view, scope, options)
    const { events, written } = result
    return { result, outcome: { state: 'SUCCEEDED', rowsRead: events, rowsWritten: written, error: null } }
  })
}

/** What is run: of one snapshot its time is recorded. */
export function batchRun(
  view: BatchView,
  scope: BatchScope,
): { readonly kind: 'BATCH'; readonly view: string; readonly asOf: Micros | null } {
  const asOf = scope.kind === 'TIMES' && scope.times.length === 1 ? (scope.times[0] ?? null) : null
  return { kind: 'BATCH', view: view.id, asOf }
}

async function compute(
  { snapshots, violations, clock }: BatchTargets,
  view: BatchView,
  scope: BatchScope,
  options: BatchOptions,
): Promise<BatchComputed> {
  const { times, expired, recorded } = await planRun(snapshots, view, scope)
  let events = 0
  let written = 0
  for (let start = 0; start < times.length; start += timesAtOnce) {
    const plan = planSnapshots(view, times.slice(start, start + timesAtOnce))
    const block = snapshotBlock(view, plan.times, recorded, options, clock())
    let keys = 0
    const { bounds, aggregations } = plan
    const counts = await snapshots
      .compute(
        {
          ...{ view, bounds, aggregations },
          times: plan.times,
          computedAt: block.now,
          keysPerFold: block.keysPerFold,
        },
        (timelines) => {
          const folded = foldSnapshots(view, plan, block.times, timelines)
          keys += timelines.length
          options.onProgress(keys)
          return folded
        },
        block.conclude,
      )
      .catch(block.reportRefused(violations))
    events += counts.events
    written += counts.rows
  }
  return { times, expired, events, written }
}
