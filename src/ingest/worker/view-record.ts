import type { Micros } from '../../definitions/timestamp.ts'
import type { FeatureView } from '../../registry/registry.ts'
import type { RunStore } from '../../stores/run-store.ts'
import type { SnapshotStore } from '../../stores/snapshot-store.ts'
import { reachOf } from '../../windows/reach-of.ts'
import type { ViewRecord } from './due-runs.ts'

interface RecordTargets {
  readonly snapshots: SnapshotStore
  readonly runs: RunStore
  readonly clock: () => Micros
}

/** A batch run that wrote rows before so many that did not is no longer seen. */
const batchRunsSeen = 20

/**
 * What the stores have recorded of a view; stale snapshots of the last `recomputeMicros` only, and all those that another
 * definition computed. Up to four round trips.
 */
export async function readViewRecord(
  { snapshots, runs, clock }: RecordTargets,
  view: FeatureView,
  recomputeMicros: Micros,
): Promise<ViewRecord> {
  const watermark = view.online ? await runs.readWatermark(view.id) : null
  const materialized = {
    materializedUntil: watermark?.materializedUntil ?? null,
    materializedBy: { definition: watermark?.definition ?? null, filling: watermark?.filling ?? null },
  }
  if (view.kind !== 'BATCH') return { snapshots: [], storedSince: null, batchWroteAt: null, ...materialized }
  const filter = { kind: 'BATCH', view: view.id, since: null, first: batchRunsSeen, after: null } as const
  const wrote = (await runs.runs(filter)).filter(({ rowsWritten }) => (rowsWritten ?? 0) > 0)
  return {
    snapshots: await snapshots.recorded(view, {
      reachMicros: reachOf(view),
      since: clock() - recomputeMicros,
    }),
    storedSince: await snapshots.storedSince(view),
    batchWroteAt: wrote.length === 0 ? null : Math.max(...wrote.map(({ finishedAt }) => finishedAt ?? 0)),
    ...materialized,
  }
}
