import type pg from 'pg'
import { formatTimestamp, type Micros } from '../../../definitions/timestamp.ts'
import type { ArrivalPoint, SnapshotView } from '../../snapshot-store.ts'
import { microsOf } from '../sql/column-type.ts'
import { definitionsSql } from './computed-by.ts'

/** Parameters: project, view, its digests, the system's identifier, event source, reach in microseconds, since when. */
export const recordedSql = `with d as materialized (
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

/** Records snapshots as computed by today's definition, over the events that were stored at a point. */
export async function recordSnapshots(
  writer: pg.Client,
  project: string,
  {
    view,
    times,
    computedAt,
  }: { readonly view: SnapshotView; readonly times: readonly Micros[]; readonly computedAt: Micros },
  { snapshotXmin, systemIdentifier }: ArrivalPoint,
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
    [
      project,
      view.id,
      times.map(formatTimestamp),
      snapshotXmin,
      systemIdentifier,
      definition,
      formatTimestamp(computedAt),
    ],
  )
}
