import type pg from 'pg'
import type { Value } from '../../../definitions/value.ts'
import type { IntakeCounts, SnapshotView } from '../../snapshot-store.ts'
import { deletionCheck } from '../deletion/deletion-check.ts'

type Row = readonly (Value | null)[]

/**
 * Rows (join keys, then the event timestamp) without those of entities that were deleted at it or later; one statement a batch
 * where any such entity was. By the rules of `deletionCheck`.
 */
export function notDeleted(
  client: pg.Client,
  project: string,
  { entity: { joinKeys } }: SnapshotView,
  batches: AsyncIterable<readonly Row[]>,
): {
  readonly rows: AsyncIterable<readonly Row[]>
  readonly counts: () => Pick<IntakeCounts, 'read' | 'deleted'>
} {
  const counts = { read: 0, deleted: 0 }
  const width = joinKeys.length
  async function* rows(): AsyncGenerator<readonly Row[]> {
    const check = await deletionCheck(client, project, joinKeys)
    for await (const batch of batches) {
      counts.read += batch.length
      const flags =
        check === null || batch.length === 0
          ? null
          : await check(
              batch.map((row) => ({ key: row.slice(0, width), eventTimestamp: Number(row[width]) })),
            )
      const kept = flags === null ? batch : batch.filter((_, index) => flags[index] !== true)
      counts.deleted += batch.length - kept.length
      yield kept
    }
  }
  return { rows: rows(), counts: () => counts }
}
