import type pg from 'pg'
import { z } from 'zod'
import { joinKeyType } from '../../../definitions/value-type.ts'
import type { DeletionView, EntityToDelete } from '../../deletion-store.ts'
import { sqlType } from '../sql/column-type.ts'
import { featureSchema } from '../tables/feature-table.ts'

/**
 * Of the tables that were made for views and belong to none of the deletion's, those with all of its join keys. Columns of a
 * table that are not null and stand before the event timestamp are its join keys.
 */
const tablesSql = `select c.relname as id, json_agg(json_build_object('name', k.attname, 'type', t.type) order by k.attnum) as keys
from pg_class as c
join pg_attribute as e on e.attrelid = c.oid and e.attname = 'event_timestamp' and not e.attisdropped
join pg_attribute as k on k.attrelid = c.oid and k.attnum > 0 and k.attnum < e.attnum and k.attnotnull and not k.attisdropped
join unnest($4::text[], $5::text[]) as t(type, sql_type) on t.sql_type = format_type(k.atttypid, k.atttypmod)
where c.relnamespace = to_regnamespace($1) and c.relkind = 'r' and c.relname <> all ($2::text[])
group by c.relname
having array_agg(k.attname || ' ' || t.type) @> $3::text[]
order by c.relname`

const table = z.object({
  id: z.string(),
  keys: z.array(z.object({ name: z.string(), type: joinKeyType })),
})

/** Views that are defined no more, as far as a deletion must know them. */
export async function removedViews(
  client: Pick<pg.Pool, 'query'> | Pick<pg.ClientBase, 'query'>,
  project: string,
  { entity, views }: EntityToDelete,
): Promise<readonly DeletionView[]> {
  const { rows } = await client.query(tablesSql, [
    featureSchema(project),
    views.map(({ id }) => id),
    entity.joinKeys.map(({ name, type }) => `${name} ${type}`),
    joinKeyType.options,
    joinKeyType.options.map(sqlType),
  ])
  return rows.map((row) => {
    const { id, keys } = table.parse(row)
    const shape = { kind: 'PLAIN', source: null, features: [], online: false } as const
    return { ...shape, id, name: id, entity: { joinKeys: keys } }
  })
}
