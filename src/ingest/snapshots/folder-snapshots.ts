import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { Clock } from '../../definitions/timestamp.ts'
import { BadUserInput } from '../../errors.ts'
import type { BatchView } from '../../registry/registry.ts'
import type { ExportFolder, PartFiles } from '../../stores/export-files.ts'
import type { HeldSnapshots } from '../../stores/held-snapshots.ts'
import { keyTimelines, readComputed } from '../../stores/key-timelines.ts'
import { exportColumns } from '../../stores/rows-to-export.ts'
import type { SnapshotStore } from '../../stores/snapshot-store.ts'
import type { ViolationStore } from '../../stores/violation-store.ts'
import { readComputedTimes, writeComputedTimes } from './folder-manifest.ts'

interface FolderParts {
  readonly folder: ExportFolder
  readonly held: HeldSnapshots
  readonly partFiles: PartFiles
  readonly violations: Pick<ViolationStore, 'record'>
  readonly clock: Clock
}

interface FolderSnapshots {
  readonly snapshots: Pick<SnapshotStore, 'recorded' | 'take'>
  /** The time of the clock, but later than all rows of the folder were created: what is written now is newer. */
  readonly clock: Clock
}

/**
 * A folder of Parquet as the store of a view's snapshots, as a `parquetSource` reads it. Rows are added and never changed: those of
 * one `take` are one file, which appears whole; a run that was killed is completed by running it again, since what is there is equal
 * then. Deletions are not asked: a reader leaves out the rows of deleted entities.
 * @throws BadUserInput, OtherDefinitions for a folder that holds something else.
 */
export async function openFolderSnapshots(
  { folder, held, partFiles, violations, clock }: FolderParts,
  view: BatchView,
): Promise<FolderSnapshots> {
  const noted = await readComputedTimes(folder, view)
  const summary = await held.summary(folder, view)
  const times = new Set([...noted, ...summary.times])
  const columns = exportColumns({ kind: 'ROWS', view })
  let rowId = Number.isSafeInteger(summary.greatestRowId) ? (summary.greatestRowId ?? 0) : 0

  return {
    clock: () => Math.max(clock(), (summary.newestCreated ?? Number.NEGATIVE_INFINITY) + 1),
    snapshots: {
      async recorded(_view, { since }) {
        const all = [...times].sort((left, right) => left - right)
        return all
          .filter((asOf, index) => since === null || asOf >= since || index === all.length - 1)
          .map((asOf) => ({ asOf, stale: false, lacking: [] }))
      },
      async take({ times: asked, computed, keysPerFold }, rows, fold, conclude) {
        const counts = { keys: 0, rows: 0, read: 0, deleted: 0 }
        const found = {
          rows: counted(rows, (read) => {
            counts.read += read
          }),
          read: readComputed(view.features.length),
        }
        const stored = await held.open(folder, view, asked)
        const staging = await folder.stage()
        const writer = await partFiles.writer(columns, staging)
        try {
          for await (const batch of keyTimelines(view.entity.joinKeys, found, stored.rows, keysPerFold)) {
            const folded = fold(batch)
            counts.keys += batch.length
            counts.rows += folded.rows.length
            if (folded.violations.length > 0 || folded.quarantined.length > 0)
              await violations.record(folded.violations, folded.quarantined)
            for (const { key, values, eventTimestamp, createdTimestamp, closing } of folded.rows) {
              rowId += 1
              writer.add([...key, ...values, eventTimestamp, createdTimestamp, rowId, closing])
            }
          }
          const broken = conclude()
          if (broken.length > 0) await violations.record(broken, [])
          const local = join(staging, 'rows.parquet')
          if (counts.rows > 0) await writer.write(local)
          if (!(await stored.isUnchanged()))
            throw new BadUserInput(
              `${folder.path} changed while its rows were compared; nothing of these snapshots was written: run it again when nothing else writes there`,
            )
          if (counts.rows > 0) await folder.publish(local, `snapshots-${randomUUID().slice(0, 8)}.parquet`)
          for (const time of computed) times.add(time)
          await writeComputedTimes(folder, view, [...times])
          return counts
        } finally {
          writer.close()
          stored.close()
        }
      },
    },
  }
}

async function* counted<Row>(
  batches: AsyncIterable<readonly Row[]>,
  count: (rows: number) => void,
): AsyncGenerator<readonly Row[]> {
  for await (const batch of batches) {
    count(batch.length)
    yield batch
  }
}
