import pg from 'pg'
import { formatTimestamp, type Micros } from '../../../definitions/timestamp.ts'
import type { ValueType } from '../../../definitions/value-type.ts'
import { HistoryExpired } from '../../../errors.ts'
import { spanAggregate } from '../../../windows/aggregates/aggregates.ts'
import type {
  SnapshotComputation,
  SnapshotCounts,
  SnapshotStore,
  SnapshotView,
} from '../../snapshot-store.ts'
import { deletedKinds } from '../deletion/deletion-check.ts'
import { readStoredSince } from '../events/event-retention.ts'
import { microsOf } from '../sql/column-type.ts'
import { copyOut } from '../sql/copy-out.ts'
import { storeFailed } from '../sql/pool.ts'
import { systemIdentifier } from '../sql/system-identifier.ts'
import { recordViolations } from '../system/violation-store.ts'
import { featureCopy } from '../tables/feature-copy.ts'
import { closingColumn } from '../tables/feature-table.ts'
import { definitionsSql } from './computed-by.ts'
import { keyTimelines } from './key-timelines.ts'
import { overridesSql, readOverride } from './overrides.ts'
import { spansSql } from './spans.ts'
import { storedSnapshotsSql, storedSnapshotTypes } from './stored-snapshots.ts'

/** Grouping and sorting some ten million events; one statement at a time, so it is not taken many times over. */
const workMem = '256MB'
const copyBytes = 8_388_608

/** Snapshots in the managed tables. A computation has three connections of its own beside the pool. */
export function postgresSnapshotStore(pool: pg.Pool, project: string): SnapshotStore {
  return {
    async recorded(view, { reachMicros, since }) {
      const failed = storeFailed(`reading the snapshots of ${view.name}`)
      const identifier = await systemIdentifier(pool).catch(failed)
      const { rows } = await pool
        .query<{ as_of: string; stale: boolean; lacking: string[] | null }>(recordedSql, [
          project,
          view.id,
          JSON.stringify(view.digests),
          identifier,
          view.events.name,
          reachMicros,
          since === null ? null : formatTimestamp(since),
        ])
        .catch(failed)
      return rows.map(({ as_of, stale, lacking }) => ({ asOf: Number(as_of), stale, lacking }))
    },

    async overrides(view, key) {
      const sql = overridesSql(project, view, key)
      const { rows } = await pool
        .query<unknown[]>({ text: sql.text, values: [...sql.values], rowMode: 'array' })
        .catch(storeFailed(`reading the pushed rows of ${view.name}`))
      return rows.map((columns) => readOverride(view, columns))
    },

    storedSince: (view) =>
      storedSince(pool, project, view).catch(
        storeFailed(`reading since when events of ${view.name} are kept`),
      ),

    async compute(computation, fold, conclude) {
      const { view } = computation
      const failed = storeFailed(`computing snapshots of ${view.name}`)
      const identifier = await systemIdentifier(pool).catch(failed)
      return await withClients(pool, failed, async (spansFrom, storedFrom, writer) => {
        // Its id first: a deletion of what is read from here on waits for it, and removes what was made of it.
        await writer.query('begin').catch(failed)
        await writer.query('select pg_current_xact_id()').catch(failed)
        const xmin = await beginReading(spansFrom).catch(failed)
        await beginReading(storedFrom).catch(failed)
        const { events } = view
        const deleted =
          events.table === null ? [] : await deletedKinds(writer, project, events.fields).catch(failed)
        const counts = { events: 0, keys: 0, rows: 0 }
        const copy = featureCopy(writer, project, view, [{ name: closingColumn, type: 'bool' }])
        const timelines = keyTimelines(
          view.entity.joinKeys,
          copyOut(spansFrom, spansSql(project, computation, deleted), spanTypes(computation)),
          copyOut(storedFrom, storedSnapshotsSql(project, computation), [
            ...view.entity.joinKeys.map(({ type }) => type),
            ...storedSnapshotTypes(view),
          ]),
          computation.keysPerFold,
        )
        for await (const batch of failing(timelines, failed)) {
          const { rows, violations, quarantined } = fold(batch)
          counts.keys += batch.length
          counts.rows += rows.length
          for (const { spans } of batch) for (const span of spans) counts.events += span.events
          for (const { key, eventTimestamp, createdTimestamp, values, closing } of rows)
            copy.add([...key, eventTimestamp, createdTimestamp, ...values, closing ? true : null])
          if (copy.size() >= copyBytes) await copy.flush().catch(failed)
          if (violations.length > 0 || quarantined.length > 0) {
            await copy.end().catch(failed)
            await recordViolations(writer, project, violations, quarantined).catch(failed)
          }
        }
        await copy.end().catch(failed)
        // What was missing when the events were read had been announced before; the readers' own snapshot may be older.
        const since = await storedSince(writer, project, view).catch(failed)
        if (since !== null && (computation.bounds[0] ?? 0) < since) throw historyExpired(computation, since)
        await recordViolations(writer, project, conclude(), []).catch(failed)
        await recordSnapshots(writer, project, computation, xmin, identifier).catch(failed)
        await writer.query('commit').catch(failed)
        return counts satisfies SnapshotCounts
      })
    },
  }
}

async function storedSince(
  client: Parameters<typeof readStoredSince>[0],
  project: string,
  { events }: SnapshotView,
): Promise<Micros | null> {
  return events.table === null ? await readStoredSince(client, project, events.name) : null
}

function historyExpired({ view, bounds }: SnapshotComputation, since: Micros): HistoryExpired {
  return new HistoryExpired(
    `these snapshots of feature view "${view.name}" need events from ${formatTimestamp(bounds[0] ?? 0)} on, those of "${view.events.name}" are kept since ${formatTimestamp(since)}; nothing of them was written`,
  )
}

const recordedSql = `with d as materialized (
${definitionsSql({ project: '$1', view: '$2', digests: '$3', visible: null })}
)
select ${microsOf('s.as_of')} as as_of, d.lacking,
  s.system_identifier <> $4 or exists (
    select from featuregraph.event_arrivals as a
    where a.project = s.project and a.source = $5 and a.latest_xid >= s.snapshot_xmin
      and a.hour < s.as_of and a.hour + interval '1 hour' > s.as_of - $6::bigint * interval '1 microsecond'
  ) as stale
from featuregraph.snapshots as s
join featuregraph.views as v on v.project = s.project and v.id = s.view_id
left join d on d.definition = s.definition
where s.project = $1 and v.name = $2 and ($7::timestamptz is null or s.as_of >= $7 or d.lacking is distinct from '{}' or s.as_of = (
    select max(n.as_of) from featuregraph.snapshots as n where n.project = s.project and n.view_id = s.view_id
  ))
order by s.as_of`

async function recordSnapshots(
  writer: pg.Client,
  project: string,
  { view, times, computedAt }: SnapshotComputation,
  xmin: string,
  identifier: string,
): Promise<void> {
  const { definition, digests } = view
  const of = [project, view.id, definition]
  await writer.query(
    `insert into featuregraph.view_definitions (project, view_id, definition, digests)
     select v.project, v.id, $3, $4 from featuregraph.views as v where v.project = $1 and v.name = $2
     on conflict do nothing`,
    [...of, JSON.stringify(digests)],
  )
  await writer.query(
    `insert into featuregraph.superseded_definitions (project, view_id, as_of, definition, superseded_at)
     select s.project, s.view_id, s.as_of, s.definition, $5 from featuregraph.snapshots as s
     join featuregraph.views as v on v.project = s.project and v.id = s.view_id
     where v.project = $1 and v.name = $2 and s.definition <> $3 and s.as_of = any ($4::timestamptz[])
     on conflict do nothing`,
    [...of, times.map(formatTimestamp), formatTimestamp(computedAt)],
  )
  await writer.query(
    `insert into featuregraph.snapshots (project, view_id, as_of, snapshot_xmin, system_identifier, definition, computed_at)
     select v.project, v.id, t.as_of, $4::xid8, $5, $6, $7
     from featuregraph.views as v cross join unnest($3::timestamptz[]) as t(as_of)
     where v.project = $1 and v.name = $2
     on conflict (project, view_id, as_of) do update set snapshot_xmin = excluded.snapshot_xmin,
       system_identifier = excluded.system_identifier, definition = excluded.definition, computed_at = excluded.computed_at`,
    [project, view.id, times.map(formatTimestamp), xmin, identifier, definition, formatTimestamp(computedAt)],
  )
}

function spanTypes({ view, aggregations }: SnapshotComputation): readonly ValueType[] {
  return [
    ...view.entity.joinKeys.map(({ type }) => type),
    'int32',
    'int64',
    ...aggregations.flatMap((aggregation) => spanAggregate(aggregation, aggregation.since !== null).cells),
  ]
}

async function beginReading(client: pg.Client): Promise<string> {
  await client.query('begin isolation level repeatable read read only')
  await client.query(`set local work_mem = '${workMem}'`)
  const { rows } = await client.query<{ xmin: string }>(
    'select pg_snapshot_xmin(pg_current_snapshot())::text as xmin',
  )
  return rows[0]?.xmin ?? '0'
}

/** Ends the connections whatever happens, and with them what was not committed. */
async function withClients<Result>(
  pool: pg.Pool,
  failed: (cause: unknown) => never,
  work: (...clients: readonly [pg.Client, pg.Client, pg.Client]) => Promise<Result>,
): Promise<Result> {
  const open = (): pg.Client => {
    const client = new pg.Client(pool.options)
    // The statement that it breaks is rejected; without a listener it would end the process.
    client.on('error', () => {})
    return client
  }
  const clients = [open(), open(), open()] as const
  try {
    await Promise.all(clients.map((client) => client.connect())).catch(failed)
    return await work(...clients)
  } finally {
    for (const client of clients) endNow(client)
  }
}

/** Without waiting for a COPY that is under way. */
function endNow(client: pg.Client): void {
  const { stream } = (client as unknown as { readonly connection: { readonly stream: { destroy(): void } } })
    .connection
  client.end().catch(() => {})
  stream.destroy()
}

async function* failing<Item>(
  items: AsyncIterable<Item>,
  failed: (cause: unknown) => never,
): AsyncGenerator<Item> {
  const iterator = items[Symbol.asyncIterator]()
  for (;;) {
    const next = await iterator.next().catch(failed)
    if (next.done === true) return
    yield next.value
  }
}
