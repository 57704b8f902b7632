import type pg from 'pg'
import { formatTimestamp } from '../../../definitions/timestamp.ts'
import type { QuarantinedFileRow } from '../../import-store.ts'
import { keepableJson, keepableText } from '../sql/keepable-text.ts'

const insertRows = `insert into featuregraph.quarantine (project, view, content, reason, recorded_at, file, row_number)
select $1, view, content::jsonb, reason, recorded_at, file, row_number
from unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::bigint[])
  as q(view, content, reason, recorded_at, file, row_number)`

/** Rows of files with their places, inside the caller's transaction. */
export async function recordFileQuarantine(
  client: pg.ClientBase,
  project: string,
  rows: readonly QuarantinedFileRow[],
): Promise<void> {
  await client.query(insertRows, [
    project,
    rows.map(({ view }) => view),
    rows.map(({ content }) => keepableJson(content)),
    rows.map(({ reason }) => keepableText(reason)),
    rows.map(({ recordedAt }) => formatTimestamp(recordedAt)),
    rows.map(({ file }) => file),
    rows.map(({ rowNumber }) => rowNumber),
  ])
}
