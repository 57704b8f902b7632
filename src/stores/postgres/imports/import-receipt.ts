import type pg from 'pg'
import type { ImportDigest } from '../../../definitions/import-digest.ts'
import { formatTimestamp } from '../../../definitions/timestamp.ts'
import type { ImportReceipt, ImportState } from '../../import-store.ts'

/** Project, kind, target and digest. */
type ReceiptKey = readonly string[]

/** Whether a receipt `i` is of another definition by which the file may come again: what decides how its rows are read, or
 * what is expected of them where rows were left out. Of a receipt before definitions were recorded only the second is known. */
const isChanged = `(i.definition is distinct from $5 and (i.definition is not null or i.rows_kept < i.rows_read)
  or i.expected is distinct from $6 and i.rows_kept < i.rows_read)`

export async function readImportState(
  pool: pg.Pool,
  key: ReceiptKey,
  { reading, expected }: ImportDigest,
): Promise<ImportState> {
  const { rows } = await pool.query<{ is_begun: boolean; is_changed: boolean | null; times: number }>(
    `select i.rows_read is null and i.next_row is not null as is_begun, ${isChanged} as is_changed, i.times
     from featuregraph.imports as i where i.project = $1 and i.kind = $2 and i.target = $3 and i.digest = $4`,
    [...key, reading, expected],
  )
  const [receipt] = rows
  if (receipt === undefined) return { status: 'NEW', earlier: 0 }
  if (receipt.is_changed === true) return { status: 'CHANGED', earlier: receipt.times }
  return { status: receipt.is_begun ? 'BEGUN' : 'IMPORTED', earlier: receipt.times - 1 }
}

/** The conflict waits for another import of the same file, until that has committed or is gone. */
const take = `with before as (
  select file, imported_at from featuregraph.imports
  where project = $1 and kind = $2 and target = $3 and digest = $4 for update
), taken as (
  insert into featuregraph.imports as i (project, kind, target, digest, definition, expected, file, imported_at, next_row)
  select $1, $2, $3, $4, $5, $6, $7, $8, $9::bigint where (select count(*) from before) >= 0
  on conflict (project, kind, target, digest) do update set definition = excluded.definition, expected = excluded.expected,
    file = excluded.file, imported_at = excluded.imported_at, next_row = excluded.next_row,
    rows_read = null, rows_kept = null, times = i.times + 1
  where ${isChanged}
  returning i.times
), replaced as (
  delete from featuregraph.quarantine as q using before, taken
  where q.project = $1 and q.view = $3 and q.file = before.file and q.recorded_at = before.imported_at
)
select times from taken`

/**
 * Makes the receipt of an import, with where it is to begin where it goes by chunks, and answers for the how manieth time the
 * file comes; then what the import before has quarantined goes, since its rows are judged again. Null: it stands by this
 * definition.
 */
export async function takeReceipt(
  client: Pick<pg.ClientBase, 'query'> | pg.Pool,
  key: ReceiptKey,
  { definition: { reading, expected }, file, importedAt }: ImportReceipt,
  nextRow: number | null,
): Promise<number | null> {
  const { rows } = await client.query<{ times: number }>(take, [
    ...[...key, reading, expected, file, formatTimestamp(importedAt), nextRow],
  ])
  return rows[0]?.times ?? null
}

/** The topic at which the events of a file stand that comes for the n-th time. */
export function fileTopic(digest: string, times: number): string {
  return times === 1 ? `file:${digest}` : `file:${digest}:${times}`
}
