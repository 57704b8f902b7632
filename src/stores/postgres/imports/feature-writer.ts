import type pg from 'pg'
import type { Value } from '../../../definitions/value.ts'
import type { StoredOfflineView } from '../../offline-view.ts'
import { featureCopy } from '../tables/feature-copy.ts'
import { copyPieceBytes, type RowWriter } from './row-writer.ts'

/** A file's feature rows into a view's managed table. */
export function featureWriter(client: pg.ClientBase, project: string, view: StoredOfflineView): RowWriter {
  const { joinKeys } = view.entity
  const copy = featureCopy(client, project, view)
  const row: (Value | null)[] = []
  return {
    async write({ kept, eventTimestamps, createdTimestamps, columns: values }) {
      for (const index of kept) {
        let place = 0
        for (const [at, column] of values.entries()) {
          if (at === joinKeys.length) {
            row[place++] = eventTimestamps[index] ?? null
            row[place++] = createdTimestamps[index] ?? null
          }
          row[place++] = column[index] ?? null
        }
        copy.add(row)
      }
      if (copy.size() >= copyPieceBytes) await copy.flush()
    },
    pause: copy.end,
    abort: copy.abort,
    finish: async () => {},
  }
}
