import type pg from 'pg'
import { formatTimestamp, type Micros } from '../../../definitions/timestamp.ts'
import type { QuarantinedRow, StoredViolation, Violation, ViolationStore } from '../../violation-store.ts'
import { microsOf } from '../sql/column-type.ts'
import { keepableJson, keepableText } from '../sql/keepable-text.ts'
import { inTransaction, storeFailed } from '../sql/pool.ts'

const insertViolations = `insert into featuregraph.violations
  (project, view, feature, key, rule, value, bound, message, action, event_timestamp, recorded_at)
select $1, view, feature, array(select jsonb_array_elements_text(key::jsonb)), rule, value, bound, message, action, event_timestamp, recorded_at
from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::timestamptz[], $11::timestamptz[])
  with ordinality as v(view, feature, key, rule, value, bound, message, action, event_timestamp, recorded_at, place)
order by place`

const insertQuarantine = `insert into featuregraph.quarantine (project, view, content, reason, recorded_at)
select $1, view, content::jsonb, reason, recorded_at
from unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[]) as q(view, content, reason, recorded_at)`

const selectPage = `select id, view, feature, key, rule, value, bound, message, action,
  ${microsOf('event_timestamp')} as "eventTimestamp", ${microsOf('recorded_at')} as "recordedAt"
from featuregraph.violations
where project = $1 and ($2::text is null or view = $2) and ($3::timestamptz is null or recorded_at >= $3)
  and ($4::timestamptz is null or (recorded_at, id) < ($4, $5::bigint))
order by recorded_at desc, id desc
limit $6`

type Row = Omit<StoredViolation, 'id' | 'eventTimestamp' | 'recordedAt'> & {
  readonly id: string
  readonly eventTimestamp: string | null
  readonly recordedAt: string
}

function timestampText(micros: Micros | null): string | null {
  return micros === null ? null : formatTimestamp(micros)
}

/** Appends both inside the caller's transaction, with the rows that they are about. */
export async function recordViolations(
  client: pg.ClientBase,
  project: string,
  violations: readonly Violation[],
  quarantined: readonly QuarantinedRow[],
): Promise<void> {
  if (violations.length > 0)
    await client.query(insertViolations, [
      project,
      violations.map(({ view }) => view),
      violations.map(({ feature }) => feature),
      violations.map(({ key }) => JSON.stringify(key)),
      violations.map(({ rule }) => rule),
      violations.map(({ value }) => value),
      violations.map(({ bound }) => bound),
      violations.map(({ message }) => message),
      violations.map(({ action }) => action),
      violations.map(({ eventTimestamp }) => timestampText(eventTimestamp)),
      violations.map(({ recordedAt }) => formatTimestamp(recordedAt)),
    ])
  if (quarantined.length > 0)
    await client.query(insertQuarantine, [
      project,
      quarantined.map(({ view }) => view),
      quarantined.map(({ content }) => keepableJson(content)),
      quarantined.map(({ reason }) => keepableText(reason)),
      quarantined.map(({ recordedAt }) => formatTimestamp(recordedAt)),
    ])
}

/** Violations and quarantined rows of one project, in the system tables. */
export function postgresViolationStore(pool: pg.Pool, project: string): ViolationStore {
  return {
    async record(violations, quarantined) {
      if (violations.length === 0 && quarantined.length === 0) return
      await inTransaction(pool, (client) => recordViolations(client, project, violations, quarantined)).catch(
        storeFailed('recording violations'),
      )
    },
    async page({ view, since, after, first }) {
      const { rows } = await pool
        .query<Row>(selectPage, [
          project,
          view,
          timestampText(since),
          timestampText(after?.recordedAt ?? null),
          after?.id ?? null,
          first,
        ])
        .catch(storeFailed('reading violations'))
      return rows.map((row) => ({
        ...row,
        id: Number(row.id),
        eventTimestamp: row.eventTimestamp === null ? null : Number(row.eventTimestamp),
        recordedAt: Number(row.recordedAt),
      }))
    },
  }
}
