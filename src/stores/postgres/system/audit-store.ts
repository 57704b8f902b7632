import type pg from 'pg'
import type { AuditStore } from '../../audit-store.ts'
import { keepableText } from '../sql/keepable-text.ts'
import { storeFailed } from '../sql/pool.ts'

const appendSql = `insert into featuregraph.audit (project, who, address, request_id, action, subject, outcome, count)
select $1, who, address, request_id, action, subject, outcome, count
from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[])
  with ordinality as a(who, address, request_id, action, subject, outcome, count, place)
order by place`

export function postgresAuditStore(pool: pg.Pool, project: string): AuditStore {
  const keepable = (text: string | null): string | null => (text === null ? null : keepableText(text))
  return {
    async append(entries) {
      if (entries.length === 0) return
      await pool
        .query(appendSql, [
          project,
          entries.map(({ who }) => keepable(who)),
          entries.map(({ address }) => address),
          entries.map(({ requestId }) => requestId),
          entries.map(({ action }) => action),
          entries.map(({ subject }) => keepable(subject)),
          entries.map(({ outcome }) => outcome),
          entries.map(({ count }) => count),
        ])
        .catch(storeFailed('recording the audit'))
    },
  }
}
