import type pg from 'pg'
import { z } from 'zod'
import type { KeyValue } from '../../../definitions/value.ts'
import { joinKeyType } from '../../../definitions/value-type.ts'
import type { DeletedEntities, LaterChanges } from '../../later-changes.ts'
import { microsOf } from '../sql/column-type.ts'
import { storeFailed } from '../sql/pool.ts'
import { systemIdentifier } from '../sql/system-identifier.ts'
import { visibleSql } from '../sql/visible-in.ts'
import { deletionDigest, deletionText } from './deletion-digest.ts'

const behind = (xid: string, snapshot: string): string =>
  `${xid} is not null and not (${visibleSql(xid, `${snapshot}::pg_snapshot`).join('')})`

const deletedSql = (
  isMeant: string,
): string => `select k.entity, k.join_keys, s.secret, array_agg(encode(d.digest, 'hex')) as digests
from featuregraph.deletions as d
join featuregraph.deleted_kinds as k on k.project = d.project and k.entity = d.entity
join featuregraph.deletion_secrets as s on s.project = d.project
where d.project = $1 and (${isMeant})
group by k.entity, k.join_keys, s.secret
order by k.entity`

const isErased = behind('d.erased_xid', '$2')
const isRecorded = behind('d.recorded_xid', '$2')

const correctedSql = `select coalesce(sum(events), 0) as events from featuregraph.clock_corrections
where project = $1 and source = any ($3::text[]) and ${behind('recorded_xid', '$2')}`

const storedSinceSql = `select source, ${microsOf('kept_since')} as stored_since from featuregraph.event_retention
where project = $1 and source = any ($2::text[])`

const storedKeys = z.array(z.object({ name: z.string(), type: joinKeyType }))

export function postgresLaterChanges(pool: pg.Pool, project: string): LaterChanges {
  const failed = storeFailed('reading what changed since a snapshot')
  return {
    async identity() {
      const { rows } = await pool
        .query<{ id: string }>('select id::text from featuregraph.database_identity')
        .catch(failed)
      return { systemIdentifier: await systemIdentifier(pool).catch(failed), id: rows[0]?.id ?? '' }
    },
    async hasReached(visible) {
      const { rows } = await pool
        .query<{ reached: boolean }>(
          'select pg_snapshot_xmax($1::pg_snapshot) <= pg_snapshot_xmax(pg_current_snapshot()) as reached',
          [visible],
        )
        .catch(failed)
      return rows[0]?.reached === true
    },
    async storedSince(sources) {
      const { rows } = await pool
        .query<{ source: string; stored_since: string }>(storedSinceSql, [project, sources])
        .catch(failed)
      return new Map(rows.map((row) => [row.source, Number(row.stored_since)]))
    },
    async corrected(visible, sources) {
      const { rows } = await pool
        .query<{ events: string }>(correctedSql, [project, visible, sources])
        .catch(failed)
      return Number(rows[0]?.events)
    },
    erased: (visible) => entities(visible, isErased),
    deleted: (visible) => entities(visible, `${isErased} or ${isRecorded}`),
  }

  async function entities(visible: string, isMeant: string): Promise<readonly DeletedEntities[]> {
    const { rows } = await pool
      .query<{ entity: string; join_keys: unknown; secret: Buffer; digests: readonly string[] }>(
        deletedSql(isMeant),
        [project, visible],
      )
      .catch(failed)
    return rows.map(({ entity, join_keys, secret, digests }): DeletedEntities => {
      const joinKeys = storedKeys.parse(join_keys)
      const all = new Set(digests)
      return {
        ...{ entity, joinKeys, count: all.size },
        isDeleted(key: readonly (KeyValue | null)[]) {
          const text = deletionText(joinKeys, key)
          return text !== null && all.has(deletionDigest(secret, text))
        },
      }
    })
  }
}
