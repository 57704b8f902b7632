import type pg from 'pg'
import { entity } from '../../../src/definitions/entity.ts'
import { eventSource } from '../../../src/definitions/event-source.ts'
import { featureView } from '../../../src/definitions/feature-view.ts'
import { applyDefinitions } from '../../../src/registry/versions/apply.ts'
import type { ApplyTargets } from '../../../src/registry/versions/make-current.ts'
import type { ServedVersion } from '../../../src/registry/versions/served-version.ts'
import { postgresApplyLease } from '../../../src/stores/postgres/system/apply-lease.ts'
import { postgresVersionStore } from '../../../src/stores/postgres/system/version-store.ts'
import { postgresTableChanges } from '../../../src/stores/postgres/tables/table-changes.ts'

export const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
export const orders = eventSource('orders', {
  eventTimestamp: 'at',
  fields: { customer_id: 'int64', price: 'float64' },
})

type Features = Parameters<typeof featureView>[1]['features']

export function trips(features: Features, options: object = {}) {
  return featureView('trips', { entity: customer, features, ...options })
}

/** Gives up after 3 tries of 300 ms, so that a test of refusals does not wait for the real 10 of 2 s. */
const shortTiming = { lockTimeoutMs: 300, pauseMs: 20, tries: 3 }

/** A project of its own in the database. */
export function applyWorld(pool: pg.Pool, project: string) {
  const targets: ApplyTargets = {
    versions: postgresVersionStore(pool, project),
    applies: postgresApplyLease(pool, project),
    tables: postgresTableChanges(pool, project, shortTiming),
  }
  const options = { by: 'ann@laptop', message: null, program: '0.1.0' }
  return {
    ...{ targets, options, schema: `features_${project}` },
    apply: (
      values: readonly unknown[],
      more: Partial<Parameters<typeof applyDefinitions>[2]> = {},
      others: Partial<ApplyTargets> = {},
    ): Promise<ServedVersion> =>
      applyDefinitions(
        { ...targets, ...others },
        values.map((value, index) => ({ path: `${index}`, value })),
        { ...options, allowBreaking: true, ...more },
      ),
    /** As after the time that a killed process keeps its lease. */
    expireLease: async (): Promise<void> => {
      await pool.query('update featuregraph.begun_applies set expires_at = now() where project = $1', [
        project,
      ])
    },
    /** Columns of the project's tables, as `trips.city`, and valid indexes, as `trips_as_of`. */
    async stands(): Promise<{ readonly columns: readonly string[]; readonly indexes: readonly string[] }> {
      const schemas = [`features_${project}`, `events_${project}`, `event_partitions_${project}`]
      const columns = await pool.query<{ name: string }>(
        `select table_name || '.' || column_name as name from information_schema.columns
         where table_schema = any ($1::text[]) order by 1`,
        [schemas],
      )
      const indexes = await pool.query<{ name: string }>(
        `select relname as name from pg_index join pg_class on oid = indexrelid
         where relnamespace::regnamespace::text = any ($1::text[]) and indisvalid order by 1`,
        [schemas],
      )
      return { columns: columns.rows.map(({ name }) => name), indexes: indexes.rows.map(({ name }) => name) }
    },
  }
}
