import type pg from 'pg'
import { formatTimestamp } from '../../../definitions/timestamp.ts'
import type { Value } from '../../../definitions/value.ts'
import {
  type ExportReading,
  type ExportSubject,
  exportColumns,
  type RowsToExport,
} from '../../rows-to-export.ts'
import { deletedKinds } from '../deletion/deletion-check.ts'
import { readStoredSince } from '../events/event-retention.ts'
import { fromSql } from '../sql/column-type.ts'
import { copyOut } from '../sql/copy-out.ts'
import { databaseNow } from '../sql/database-clock.ts'
import { storeFailed } from '../sql/pool.ts'
import { exportDaysSql, exportedTypes, exportRowsSql } from './export-sql.ts'

export interface RowsToExportOptions {
  readonly project: string
  readonly countNonFinite: (name: string) => void
}

const settings = ['jit = off', 'statement_timeout = 0', `timezone = 'UTC'`]

/** One repeatable-read transaction a reading, on one connection of the pool, which has no statement timeout. */
export function postgresRowsToExport(
  pool: pg.Pool,
  { project, countNonFinite }: RowsToExportOptions,
): RowsToExport {
  return {
    async open(subject, visibleIn) {
      const failed = storeFailed(`reading ${nameOf(subject)}`)
      const client = await pool.connect().catch(failed)
      const close = async (): Promise<void> => client.release(true)
      try {
        await client.query('begin isolation level repeatable read read only')
        await client.query(settings.map((setting) => `set local ${setting}`).join('; '))
        const { rows } = await client.query<{ visible: string }>(
          'select pg_current_snapshot()::text as visible',
        )
        const takenAt = await databaseNow(client)
        const storedSince =
          subject.kind === 'EVENTS' && subject.source.table === null
            ? await readStoredSince(client, project, subject.source.name)
            : null
        const scope = {
          ...{ project, subject, visibleIn },
          storedSince: storedSince === null ? null : formatTimestamp(storedSince),
          deleted: await deletedKinds(client, project, exportColumns(subject)),
        }
        const reader = rowReader(subject, () => countNonFinite(nameOf(subject)))
        return {
          ...{ takenAt, storedSince, close, visible: visibleIn ?? rows[0]?.visible ?? '' },
          async days(part) {
            const sql = exportDaysSql({ ...scope, part })
            const found = await client
              .query<{ day: number; rows: string }>(sql.text, [...sql.values])
              .catch(failed)
            return found.rows.map((row) => ({ day: row.day, rows: Number(row.rows) }))
          },
          async *rows(part) {
            const batches = copyOut(client, exportRowsSql({ ...scope, part }), exportedTypes(subject))
            for (;;) {
              const next = await batches.next().catch(failed)
              if (next.done === true) return
              yield next.value.map(reader)
            }
          },
        } satisfies ExportReading
      } catch (error) {
        await close()
        return failed(error)
      }
    },
  }
}

/** From the columns of `exportRowsSql`. */
function rowReader(
  subject: ExportSubject,
  countNonFinite: () => void,
): (row: readonly (Value | null)[]) => readonly (Value | null)[] {
  const columns = exportColumns(subject)
  const read = (row: readonly (Value | null)[]): (Value | null)[] =>
    columns.map(({ type }, index) => fromSql(type, row[index], countNonFinite))
  if (subject.kind === 'EVENTS' || subject.view.kind !== 'BATCH') return read
  const first = subject.view.entity.joinKeys.length
  const ids = subject.view.features.map(({ id }) => id)
  return (row) => {
    const values = read(row)
    const others = row[columns.length]
    if (Array.isArray(others))
      for (const [place, id] of ids.entries()) if (others.includes(id)) values[first + place] = null
    return values
  }
}

function nameOf(subject: ExportSubject): string {
  return subject.kind === 'EVENTS' ? subject.source.name : subject.view.name
}
