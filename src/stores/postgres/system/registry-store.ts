import { isDeepStrictEqual } from 'node:util'
import type pg from 'pg'
import { z } from 'zod'
import { valueType } from '../../../definitions/value-type.ts'
import { StoreFailed } from '../../../errors.ts'
import type { KnownLayout, RegistryStore, StoredLayout, ViewIdentity } from '../../registry-store.ts'
import { inTransaction, storeFailed } from '../sql/pool.ts'

const featureDigests = z.record(z.string(), z.string())
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
            `insert into featuregraph.row_layouts (fingerprint, project, view_id, layout, definition)
             values ($1, $2, $3, $4, $5) on conflict do nothing`,
            [layout.fingerprint, project, layout.viewId, JSON.stringify(layout.features), layout.definition],
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

    async recordDefinitions(definitions) {
      await inTransaction(pool, async (client) => {
        await client.query('set local synchronous_commit = on')
        for (const { viewId, definition, digests, undigested, isComputed } of definitions) {
          const view = [project, viewId, definition]
          const text = JSON.stringify(digests)
          await client.query(
            `insert into featuregraph.view_definitions (project, view_id, definition, digests) values ($1, $2, $3, $4)
             on conflict (project, view_id, definition) do update set used_at = now()`,
            [...view, text],
          )
          if (undigested !== null)
            await client.query(
              `insert into featuregraph.view_definitions (project, view_id, definition, digests) values ($1, $2, $3, $4)
               on conflict do nothing`,
              [project, viewId, undigested, text],
            )
          for (const table of isComputed ? ['row_layouts', 'watermarks'] : [])
            await client.query(
              `update featuregraph.${table} set definition = case when ${newestIs} then $3 else '' end
               where project = $1 and view_id = $2 and definition is null`,
              [...view, undigested ?? definition],
            )
        }
      }).catch(storeFailed('recording definitions'))
    },

    layouts: () => readLayouts(pool, project).catch(storeFailed('reading row layouts')),
  }
}

/** Of the definition $3, which was recorded as $4 before there were digests; of a view without snapshots too. */
const newestIs = `coalesce((
  select s.definition in ($3, $4) from featuregraph.snapshots as s
  where s.project = $1 and s.view_id = $2 order by s.as_of desc limit 1
), true)`

async function readLayouts(client: pg.Pool | pg.PoolClient, project: string): Promise<KnownLayout[]> {
  const result = await client.query<{
    fingerprint: string
    view_id: string
    layout: unknown
    definition: string | null
    digests: unknown
  }>(
    `select l.fingerprint, l.view_id, l.layout, l.definition, d.digests from featuregraph.row_layouts as l
     left join featuregraph.view_definitions as d
       on d.project = l.project and d.view_id = l.view_id and d.definition = l.definition
     where l.project = $1`,
    [project],
  )
  return result.rows.map((row) => ({
    fingerprint: Number(row.fingerprint),
    viewId: row.view_id,
    features: layoutFeatures.parse(row.layout),
    definition: row.definition,
    digests: row.digests === null ? null : featureDigests.parse(row.digests),
  }))
}

function sameLayout(left: StoredLayout, right: StoredLayout): boolean {
  return (
    left.viewId === right.viewId &&
    left.definition === right.definition &&
    isDeepStrictEqual(left.features, right.features)
  )
}
