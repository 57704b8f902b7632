import type pg from 'pg'
import type { FoldedSnapshots, SnapshotCounts, SnapshotView, Timeline } from '../../snapshot-store.ts'
import { storeFailed } from '../sql/pool.ts'
import { recordViolations } from '../system/violation-store.ts'
import { featureCopy } from '../tables/feature-copy.ts'
import { closingColumn } from '../tables/feature-table.ts'

const copyBytes = 8_388_608

/** Appends what batches of timelines come to, and records what their rows break, in the caller's transaction. */
export async function writeTimelines<Found>(
  writer: pg.Client,
  project: string,
  view: SnapshotView,
  timelines: AsyncIterable<readonly Timeline<Found>[]>,
  fold: (timelines: readonly Timeline<Found>[]) => FoldedSnapshots,
): Promise<Pick<SnapshotCounts, 'keys' | 'rows'>> {
  const failed = storeFailed(`writing snapshots of ${view.name}`)
  const counts = { keys: 0, rows: 0 }
  const copy = featureCopy(writer, project, view, [{ name: closingColumn, type: 'bool' }])
  for await (const batch of timelines) {
    const { rows, violations, quarantined } = fold(batch)
    counts.keys += batch.length
    counts.rows += rows.length
    for (const { key, eventTimestamp, createdTimestamp, values, closing } of rows)
      copy.add([...key, eventTimestamp, createdTimestamp, ...values, closing ? true : null])
    if (copy.size() >= copyBytes) await copy.flush().catch(failed)
    if (violations.length > 0 || quarantined.length > 0) {
      await copy.end().catch(failed)
      await recordViolations(writer, project, violations, quarantined).catch(failed)
    }
  }
  await copy.end().catch(failed)
  return counts
}
