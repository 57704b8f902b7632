import type pg from 'pg'
import type {
  QuarantinedEntry,
  QuarantineGroup,
  QuarantineStore,
  RetriedRow,
} from '../../quarantine-store.ts'
import { makeEventMonth } from '../events/event-months.ts'
import { insertRows } from '../features/offline-store.ts'
import { microsOf } from '../sql/column-type.ts'
import { inTransaction, storeFailed } from '../sql/pool.ts'
import { recordViolations } from '../system/violation-store.ts'
import { cameBySql, filterSql, filterValues, quarantineGroupsSql } from './quarantine-groups.ts'
import { storeRetried } from './store-retried.ts'

const selectEntries = `select q.id, q.view as name, ${cameBySql} as "cameBy", q.reason, q.content, ${microsOf('q.recorded_at')} as "recordedAt",
  q.file, q.row_number as row, t.topic, q.partition, q."offset", q.message_key as key, q.message as value
from featuregraph.quarantine as q left join featuregraph.event_topics as t on t.id = q.topic_id
where ${filterSql}`

type Row = Pick<QuarantinedEntry, 'name' | 'cameBy' | 'reason' | 'content'> & {
  readonly id: string
  readonly recordedAt: string
  readonly file: string | null
  readonly row: string | null
  readonly topic: string | null
  readonly partition: number | null
  readonly offset: string | null
  readonly key: Buffer | null
  readonly value: Buffer | null
}

type GroupRow = Omit<QuarantineGroup, 'rows' | 'newestAt'> & {
  readonly rows: string
  readonly newestAt: string
}

/** Quarantined rows and messages of one project. */
export function postgresQuarantineStore(pool: pg.Pool, project: string): QuarantineStore {
  /** Those of the entries that were there; they are gone with the transaction. */
  async function take(
    client: pg.ClientBase,
    entries: readonly { readonly id: number }[],
  ): Promise<ReadonlySet<number>> {
    const { rows } = await client.query<{ id: string }>(
      'delete from featuregraph.quarantine where project = $1 and id = any($2::bigint[]) returning id',
      [project, entries.map(({ id }) => id)],
    )
    return new Set(rows.map(({ id }) => Number(id)))
  }

  return {
    async groups(filter, first) {
      const { text, values } = quarantineGroupsSql(project, filter, first)
      const { rows } = await pool
        .query<GroupRow>(text, [...values])
        .catch(storeFailed('counting what is quarantined'))
      return rows.map((row) => ({ ...row, rows: Number(row.rows), newestAt: Number(row.newestAt) }))
    },
    async page({ order, past, first, ...filter }) {
      const [beyond, direction] = order === 'NEWEST_FIRST' ? ['<', 'desc'] : ['>', 'asc']
      const { rows } = await pool
        .query<Row>(
          `${selectEntries} and ($4::bigint is null or q.id ${beyond} $4) order by q.id ${direction} limit $5`,
          [...filterValues(project, filter), past, first],
        )
        .catch(storeFailed('reading what is quarantined'))
      return rows.map(entryOf)
    },
    async retryEvents(source, place, entries, storedAt) {
      const failed = storeFailed(`taking quarantined events of ${source.name} again`)
      for (const { event } of entries)
        await makeEventMonth(pool, pool, project, source, event.eventTimestamp).catch(failed)
      return await inTransaction(pool, async (client) => {
        const there = await take(client, entries)
        const taken = entries.filter(({ id }) => there.has(id))
        const outcomes = await storeRetried(client, { project, source, storedAt }, place, taken)
        const broken = taken.flatMap(({ event }, index) =>
          outcomes[index] === 'STORED' ? event.violations : [],
        )
        await recordViolations(client, project, broken, [])
        const next = outcomes.values()
        return entries.map(({ id }) => (there.has(id) ? (next.next().value ?? null) : null))
      }).catch(failed)
    },
    async retryRows(view, entries) {
      return await inTransaction(pool, async (client) => {
        const there = await take(client, entries)
        const taken = entries.filter(({ id }): boolean => there.has(id))
        const { rowIds } = await insertRows(
          client,
          project,
          view,
          taken.map(({ row }: RetriedRow) => row),
        )
        const broken = taken.flatMap(({ violations }, index) => (rowIds[index] === null ? [] : violations))
        await recordViolations(client, project, broken, [])
        const outcomes = new Map(
          taken.map(({ id }, index) => [id, rowIds[index] === null ? 'DELETED' : 'STORED'] as const),
        )
        return entries.map(({ id }) => outcomes.get(id) ?? null)
      }).catch(storeFailed(`taking quarantined rows of ${view.name} again`))
    },
  }
}

function entryOf({
  id,
  recordedAt,
  file,
  row,
  topic,
  partition,
  offset,
  key,
  value,
  ...rest
}: Row): QuarantinedEntry {
  return {
    ...rest,
    id: Number(id),
    recordedAt: Number(recordedAt),
    file: file === null ? null : { path: file, row: Number(row) },
    message:
      topic === null || value === null
        ? null
        : { topic, partition: partition ?? 0, offset: Number(offset), key, value },
  }
}
