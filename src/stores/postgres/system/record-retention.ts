import type pg from 'pg'
import type { RecordRetention } from '../../record-retention.ts'
import { storeFailed } from '../sql/pool.ts'

/** Rows of a statement, so that none holds its locks for long. */
const removedAtOnce = 5_000

function removeSql(table: string, time: string): string {
  return `delete from ${table} where ctid = any (array(
select ctid from ${table}
where project = $1 and ${time} < now() - $2::bigint * interval '1 microsecond'
order by ${time} limit ${removedAtOnce} for update skip locked))`
}

const removeReceipts = removeSql('featuregraph.push_receipts', 'created_at')
const removeAudit = removeSql('featuregraph.audit', 'recorded_at')

export function postgresRecordRetention(pool: pg.Pool, project: string): RecordRetention {
  const remove = async (statement: string, age: number): Promise<number> => {
    let removed = 0
    for (;;) {
      const { rowCount } = await pool.query(statement, [project, age])
      removed += rowCount ?? 0
      if ((rowCount ?? 0) < removedAtOnce) return removed
    }
  }
  return {
    async removeOld({ pushReceipts, audit }) {
      const failed = storeFailed('removing old records')
      const receipts = await remove(removeReceipts, pushReceipts).catch(failed)
      return receipts + (await remove(removeAudit, audit).catch(failed))
    },
  }
}
