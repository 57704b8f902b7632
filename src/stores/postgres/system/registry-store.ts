import { isDeepStrictEqual } from 'node:util'
import type pg from 'pg'
import { z } from 'zod'
import { valueType } from '../../../definitions/value-type.ts'
import { StoreFailed } from '../../../errors.ts'
import type { RegistryStore, StoredLayout, ViewIdentity } from '../../registry-store.ts'
import { inTransaction, storeFailed } from '../sql/pool.ts'

const layoutFeatures = z.array(z.strictObject({ name: z.string(), type: valueType }))

/** View ids and row layouts of one project, in the system tables of schema `featuregraph`. */
export function postgresRegistryStore(pool: pg.Pool, project: string): RegistryStore {
  return {
    async ensureViews(names) {
      const rows = await inTransaction(pool, async (client) => {
        await client.query('set local synchronous_commit = on')
        await client.query(
          `insert into featuregraph.views (project, id, name)
           select $1, name, name from unnest($2::text[]) as n(name) on conflict do nothing`,
          [project, names],
        )
        const result = await client.query<ViewIdentity>(
          `select v.id, v.name from unnest($2::text[]) with ordinality as n(name, place)
           join featuregraph.views as v on v.project = $1 and v.name = n.name order by n.place`,
          [project, names],
        )
        return result.rows
      }).catch(storeFailed('recording views'))
      if (rows.length !== names.length) throw new StoreFailed('a view could not be recorded under its name')
      return rows
    },

    async recordLayouts(layouts) {
      const recorded = await inTransaction(pool, async (client) => {
        await client.query('set local synchronous_commit = on')
        for (const layout of layouts) {
          await client.query(
            `insert into featuregraph.row_layouts (fingerprint, project, view_id, layout)
             values ($1, $2, $3, $4) on conflict do nothing`,
            [layout.fingerprint, project, layout.viewId, JSON.stringify(layout.features)],
          )
        }
        return readLayouts(client, project)
      }).catch(storeFailed('recording row layouts'))
      for (const layout of layouts) {
        const stored = recorded.find((other) => other.fingerprint === layout.fingerprint)
        if (!stored || !sameLayout(stored, layout)) {
          throw new StoreFailed(
            `the row layout of view ${layout.viewId} has the fingerprint of another layout; reorder two of its features`,
          )
        }
      }
    },

    layouts: () => readLayouts(pool, project).catch(storeFailed('reading row layouts')),
  }
}

async function readLayouts(client: pg.Pool | pg.PoolClient, project: string): Promise<StoredLayout[]> {
  const result = await client.query<{ fingerprint: string; view_id: string; layout: unknown }>(
    'select fingerprint, view_id, layout from featuregraph.row_layouts where project = $1',
    [project],
  )
  return result.rows.map((row) => ({
    fingerprint: Number(row.fingerprint),
    viewId: row.view_id,
    features: layoutFeatures.parse(row.layout),
  }))
}

function sameLayout(left: StoredLayout, right: StoredLayout): boolean {
  return left.viewId === right.viewId && isDeepStrictEqual(left.features, right.features)
}
