import type pg from 'pg'
import type { ImportedRows } from '../../import-store.ts'
import type { StoredEventSource } from '../../stored-event-source.ts'
import { eventTable } from '../tables/event-table.ts'
import { fileTopic } from './import-receipt.ts'

/** See `ImportStore.storedRows`. One look-up by primary key ranges a batch. */
export async function rowsOfEarlierImports(
  pool: pg.Pool,
  project: string,
  source: StoredEventSource,
  digest: string,
  earlier: number,
): Promise<(rows: ImportedRows) => Promise<ReadonlySet<number>>> {
  const topics = Array.from({ length: earlier }, (_, index) => fileTopic(digest, index + 1))
  const { rows: known } = await pool.query<{ id: number }>(
    'select id from featuregraph.event_topics where project = $1 and topic = any($2)',
    [project, topics],
  )
  const ids = known.map(({ id }) => id)
  return async ({ rowNumbers }) => {
    const { rows } = await pool.query<{ offset: string }>(
      `select "offset" from ${eventTable(project, source)}
       where topic_id = any($1::int[]) and partition = 0 and "offset" between $2 and $3`,
      [ids, rowNumbers[0] ?? 0, rowNumbers.at(-1) ?? 0],
    )
    const stored = new Set(rows.map(({ offset }) => Number(offset)))
    return new Set(rowNumbers.flatMap((rowNumber, index) => (stored.has(rowNumber) ? [index] : [])))
  }
}
