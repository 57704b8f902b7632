import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api'
import type { KeyValue } from '../../../definitions/value.ts'
import type { RowRead } from '../../file-join.ts'
import type { RowDeletions } from './join-file-view.ts'

/** Keys that are asked about at once. */
const deletionBatch = 20_000

/**
 * Takes the rows of deleted entities out of the table `found_<index>`, for the keys of `asked_<index>`; a question of the database
 * for each 20,000 rows, and none where nothing that the view may hold was ever deleted.
 */
export async function leaveOutDeleted(
  connection: DuckDBConnection,
  { view: { entity } }: RowRead,
  index: number,
  deletions: RowDeletions,
): Promise<void> {
  const isDeleted = await deletions(entity.joinKeys)
  if (isDeleted === null) return
  const keys = entity.joinKeys.map((_, at) => `a.k${at}`).join(', ')
  await connection.run('create temp table deleted (place BIGINT)')
  const reader = await connection.runAndReadAll(
    `select f.place, f.e, ${keys} from found_${index} as f join asked_${index} as a on a.place = f.place`,
  )
  const rows = reader.getRows()
  for (let start = 0; start < rows.length; start += deletionBatch) {
    const some = rows.slice(start, start + deletionBatch)
    const flags = await isDeleted(
      some.map(([, event, ...key]) => ({ key: key.map(keyValue), eventTimestamp: Number(event) })),
    )
    const places = some.flatMap(([place], at) => (flags[at] ? [Number(place)] : []))
    if (places.length > 0) await connection.run(`insert into deleted select unnest([${places.join(', ')}])`)
  }
  await connection.run(`delete from found_${index} where place in (select place from deleted)`)
  await connection.run('drop table deleted')
}

function keyValue(value: DuckDBValue): KeyValue | null {
  if (value === null) return null
  const number = typeof value === 'bigint' ? Number(value) : value
  if (typeof number === 'number') return Number.isSafeInteger(number) ? number : String(value)
  return String(value)
}
