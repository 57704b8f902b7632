import type pg from 'pg'
import { formatTimestamp, type Micros } from '../../../definitions/timestamp.ts'
import type { ValueType } from '../../../definitions/value-type.ts'
import { HistoryExpired } from '../../../errors.ts'
import { spanAggregate } from '../../../windows/aggregates/aggregates.ts'
import { keyTimelines, readComputed, readSpan } from '../../key-timelines.ts'
import type {
  IntakeCounts,
  SnapshotComputation,
  SnapshotCounts,
  SnapshotStore,
  SnapshotView,
} from '../../snapshot-store.ts'
import { deletedKinds } from '../deletion/deletion-check.ts'
import { readStoredSince } from '../events/event-retention.ts'
import { copyOut } from '../sql/copy-out.ts'
import { storeFailed } from '../sql/pool.ts'
import { systemIdentifier } from '../sql/system-identifier.ts'
import { recordViolations } from '../system/violation-store.ts'
import { notDeleted } from './not-deleted.ts'
import { overridesSql, readOverride } from './overrides.ts'
import { recordedSql, recordSnapshots } from './recorded-snapshots.ts'
import { beginReading, failing, readXmin, withClients } from './snapshot-connections.ts'
import { spansSql } from './spans.ts'
import { storedSnapshotsSql, storedSnapshotTypes } from './stored-snapshots.ts'
import { writeTimelines } from './write-timelines.ts'

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
      const { view, times, bounds } = computation
      const failed = storeFailed(`computing snapshots of ${view.name}`)
      const identifier = await systemIdentifier(pool).catch(failed)
      return await withClients(pool, failed, async (spansFrom, storedFrom, writer) => {
        await beginWriting(writer).catch(failed)
        const snapshotXmin = await beginReading(spansFrom).catch(failed)
        await beginReading(storedFrom).catch(failed)
        const { events } = view
        const deleted =
          events.table === null ? [] : await deletedKinds(writer, project, events.fields).catch(failed)
        const spans = copyOut(spansFrom, spansSql(project, computation, deleted), spanTypes(computation))
        const timelines = keyTimelines(
          view.entity.joinKeys,
          { rows: spans, read: readSpan },
          storedSnapshots(storedFrom, project, computation),
          computation.keysPerFold,
        )
        let counted = 0
        const counts = await writeTimelines(writer, project, view, failing(timelines, failed), (batch) => {
          const folded = fold(batch)
          for (const { found } of batch) for (const span of found) counted += span.events
          return folded
        })
        await refuseExpired(writer, view, bounds[0] ?? 0)
        await recordViolations(writer, project, conclude(), []).catch(failed)
        const arrivals = { snapshotXmin, systemIdentifier: identifier }
        await recordSnapshots(writer, project, { ...computation, times }, arrivals).catch(failed)
        await writer.query('commit').catch(failed)
        return { events: counted, ...counts } satisfies SnapshotCounts
      })
    },

    async arrivals() {
      const failed = storeFailed('reading which events are stored')
      const identifier = await systemIdentifier(pool).catch(failed)
      return { snapshotXmin: await readXmin(pool).catch(failed), systemIdentifier: identifier }
    },

    async take(intake, rows, fold, conclude) {
      const { view, computed, eventsSince, eventsReadAt } = intake
      const failed = storeFailed(`storing snapshots of ${view.name}`)
      const identifier = await systemIdentifier(pool).catch(failed)
      return await withClients(pool, failed, async (checks, storedFrom, writer) => {
        await beginWriting(writer).catch(failed)
        const snapshotXmin = await beginReading(storedFrom).catch(failed)
        const kept = notDeleted(checks, project, view, rows)
        const timelines = keyTimelines(
          view.entity.joinKeys,
          { rows: kept.rows, read: readComputed(view.features.length) },
          storedSnapshots(storedFrom, project, intake),
          intake.keysPerFold,
        )
        const counts = await writeTimelines(writer, project, view, failing(timelines, failed), fold)
        if (eventsSince !== null) await refuseExpired(writer, view, eventsSince)
        await recordViolations(writer, project, conclude(), []).catch(failed)
        const arrivals = eventsReadAt ?? { snapshotXmin, systemIdentifier: identifier }
        await recordSnapshots(writer, project, { ...intake, times: computed }, arrivals).catch(failed)
        await writer.query('commit').catch(failed)
        return { ...counts, ...kept.counts() } satisfies IntakeCounts
      })
    },
  }

  /** What was missing when the events were read had been announced before; the readers' own snapshot may be older. */
  async function refuseExpired(writer: pg.Client, view: SnapshotView, first: Micros): Promise<void> {
    const since = await storedSince(writer, project, view).catch(
      storeFailed(`reading since when events of ${view.name} are kept`),
    )
    if (since !== null && first < since) throw historyExpired(view, first, since)
  }
}

/** With its id: a deletion of what is read from here on waits for it, and removes what was made of it. */
async function beginWriting(writer: pg.Client): Promise<void> {
  await writer.query('begin')
  await writer.query('select pg_current_xact_id()')
}

function storedSnapshots(
  client: pg.Client,
  project: string,
  asked: Pick<SnapshotComputation, 'view' | 'times'>,
): ReturnType<typeof copyOut> {
  return copyOut(client, storedSnapshotsSql(project, asked), [
    ...asked.view.entity.joinKeys.map(({ type }) => type),
    ...storedSnapshotTypes(asked.view),
  ])
}

async function storedSince(
  client: Parameters<typeof readStoredSince>[0],
  project: string,
  { events }: SnapshotView,
): Promise<Micros | null> {
  return events.table === null ? await readStoredSince(client, project, events.name) : null
}

function historyExpired(view: SnapshotView, first: Micros, since: Micros): HistoryExpired {
  return new HistoryExpired(
    `these snapshots of feature view "${view.name}" need events from ${formatTimestamp(first)} on, those of "${view.events.name}" are kept since ${formatTimestamp(since)}; nothing of them was written`,
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
