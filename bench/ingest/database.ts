import type pg from 'pg'
import { formatTimestamp, type Micros } from '../../src/definitions/timestamp.ts'
import { postgresRegistryStore } from '../../src/stores/postgres/system/registry-store.ts'
import { createEventMonth, eventTable } from '../../src/stores/postgres/tables/event-table.ts'
import { managedTable } from '../../src/stores/postgres/tables/feature-table.ts'
import { migrate } from '../../src/stores/postgres/tables/migrate.ts'
import { migrationsFolder } from '../../test/services/template.ts'
import { testOfflineStore, testPool } from '../../test/services/test-pool.ts'
import { dayMicros, firstDay, projects, type Sizes, type World } from './world.ts'

/** A row's features, in the view's order. */
export type FeatureValues = readonly (number | null)[]

/** The gateway's own tables in several projects, and what the bench does with them beside the measured work. */
export interface BenchDatabase {
  readonly url: string
  readonly pool: pg.Pool
  /** Quoted; of our events, or those that psql writes. */
  readonly events: (project: string) => string
  readonly features: (project: string) => string
  /** Empties the project's events, as if nothing had been imported. */
  readonly forgetEvents: (project: string) => Promise<void>
  /** Empties the project's feature table, as if no snapshot had been computed. */
  readonly forgetSnapshots: (project: string) => Promise<void>
  /** Writes out what earlier work has left behind, so that nobody else pays for it. */
  readonly settle: () => Promise<void>
  /** What autovacuum does sooner or later after rows were added. */
  readonly vacuum: (table: string) => Promise<void>
  readonly countFeatures: (project: string) => Promise<number>
  /** Of the customers that have a row of that time which is not a closing one. */
  readonly featuresAt: (
    project: string,
    time: Micros,
    ids: readonly number[],
  ) => Promise<ReadonlyMap<number, FeatureValues>>
  /** How many customers have such a row. */
  readonly customersAt: (project: string, time: Micros) => Promise<number>
  readonly close: () => Promise<void>
}

/** Migrates, and makes tables of the same columns, partitions and indexes for every project. */
export async function makeDatabase(
  url: string,
  { view, source, registry }: World,
  { days }: Sizes,
  names: readonly string[],
): Promise<BenchDatabase> {
  const pool = testPool(url, 4, null)
  await migrate(pool, migrationsFolder)
  for (const project of names) {
    await postgresRegistryStore(pool, project).ensureViews(registry.views.map(({ name }) => name))
    const offline = testOfflineStore(url, { project })
    await offline.ensureTables(registry.views, registry.eventSources).finally(offline.close)
  }
  const events = (project: string): string => eventTable(project, source)
  const features = (project: string): string => managedTable(project, view)
  for (let day = 0; day < days; day += 1)
    await pool.query(createEventMonth(projects.psql, source, firstDay + day * dayMicros))
  // What our import writes beside the file's own columns.
  await pool.query(
    `alter table ${events(projects.psql)} alter column topic_id set default 1,
       alter column partition set default 0, alter column ingested_at set default now()`,
  )

  const count = async (sql: string, values: readonly unknown[] = []): Promise<number> => {
    const { rows } = await pool.query<{ count: string }>(sql, [...values])
    return Number(rows[0]?.count)
  }
  const columns = view.features.map(({ name }) => name).join(', ')
  return {
    url,
    pool,
    events,
    features,
    async forgetEvents(project) {
      await pool.query(`truncate ${events(project)}`)
      for (const table of ['imports', 'event_arrivals'])
        await pool.query(`delete from featuregraph.${table} where project = $1`, [project])
    },
    async forgetSnapshots(project) {
      await pool.query(`truncate ${features(project)}`)
      await pool.query('delete from featuregraph.snapshots where project = $1', [project])
    },
    settle: async () => {
      await pool.query('checkpoint')
    },
    vacuum: async (table) => {
      await pool.query(`vacuum (analyze) ${table}`)
    },
    countFeatures: (project) => count(`select count(*) from ${features(project)}`),
    async featuresAt(project, time, ids) {
      const { rows } = await pool.query<unknown[]>({
        text: `select customer_id, ${columns} from ${features(project)}
          where event_timestamp = $1 and customer_id = any($2::bigint[]) and closing is not true`,
        values: [formatTimestamp(time), ids],
        rowMode: 'array',
      })
      return new Map(
        rows.map(([id, ...values]) => [
          Number(id),
          values.map((value) => (value === null ? null : Number(value))),
        ]),
      )
    },
    customersAt: (project, time) =>
      count(`select count(*) from ${features(project)} where event_timestamp = $1 and closing is not true`, [
        formatTimestamp(time),
      ]),
    close: () => pool.end(),
  }
}
