import type pg from 'pg'
import type { ProcessRegistry, ReportedProcess, RunningProcess } from '../../process-registry.ts'
import { microsOf } from '../sql/column-type.ts'
import { storeFailed } from '../sql/pool.ts'

/** Four times the pause between two reports. */
const staleAfter = `interval '20 seconds'`

/** Rows of processes that ended without a word go with the next report of any other. */
const reportSql = `with present as (select featuregraph.moment() as now), gone as (
  delete from featuregraph.processes using present where project = $1 and id <> $2 and last_seen_at < now - interval '1 minute'
)
insert into featuregraph.processes
  (project, id, kind, runs, leads, version, definitions, host, pid, registry_version, started_at, last_seen_at)
select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now, now from present
on conflict (project, id) do update set runs = excluded.runs, leads = excluded.leads, definitions = excluded.definitions,
  registry_version = excluded.registry_version, last_seen_at = excluded.last_seen_at`

const runningSql = `select p.id, p.kind, p.runs, p.leads, p.version, p.definitions, p.host, p.pid, p.registry_version as "registryVersion",
  ${microsOf('p.started_at')} as "startedAt", ${microsOf('p.last_seen_at')} as "lastSeenAt",
  coalesce(g.expires_at > now(), false) as "holdsGuard"
from featuregraph.processes as p
left join featuregraph.online_guards as g on g.project = p.project and g.holder = p.id
where p.project = $1 and p.last_seen_at > featuregraph.moment() - ${staleAfter}
order by p.started_at, p.id`

type Row = Omit<RunningProcess, 'startedAt' | 'lastSeenAt'> & {
  readonly startedAt: string
  readonly lastSeenAt: string
}

export function postgresProcessRegistry(pool: pg.Pool, project: string): ProcessRegistry {
  return {
    async report(process: ReportedProcess) {
      const { id, kind, runs, leads, version, definitions, host, pid, registryVersion } = process
      await pool
        .query(reportSql, [project, id, kind, runs, leads, version, definitions, host, pid, registryVersion])
        .catch(storeFailed('reporting that this process runs'))
    },
    async running() {
      const { rows } = await pool
        .query<Row>(runningSql, [project])
        .catch(storeFailed('reading which processes run'))
      return rows.map((row) => ({
        ...row,
        startedAt: Number(row.startedAt),
        lastSeenAt: Number(row.lastSeenAt),
      }))
    },
    async leave(id) {
      await pool
        .query('delete from featuregraph.processes where project = $1 and id = $2', [project, id])
        .catch(storeFailed('reporting that this process ends'))
    },
  }
}
