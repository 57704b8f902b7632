import pg from 'pg'
import { BadUserInput, errorCode, messageOf } from '../../../errors.ts'
import type { AnalysedView, FoundSqlView, SqlViews } from '../../sql-views.ts'
import { quoteIdentifier } from '../sql/identifier.ts'
import { inTransaction, storeFailed } from '../sql/pool.ts'
import { featureTable } from '../tables/feature-table.ts'
import { type Marker, objectName, readMarker, type SqlObjects, sqlObjects } from './as-of-function.ts'
import type { ColumnTypes } from './column-value.ts'

/** SQL views in the offline database. */
export function postgresSqlViews(pool: pg.Pool, project: string): SqlViews {
  const inOne = <T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> =>
    inTransaction(pool, work).catch((error: unknown) => {
      if (error instanceof BadUserInput) throw error
      return refusedOrFailed(error)
    })
  return {
    compare: (schema, views) =>
      inOne(async (client) => {
        const { found } = await compared(client, project, schema, views)
        return found
      }),
    sync: (schema, views) =>
      inOne(async (client) => {
        await client.query(`select pg_advisory_xact_lock(hashtext('featuregraph sql views'))`)
        await client.query(`create schema if not exists ${quoteIdentifier(schema)}`)
        const { found, objects } = await compared(client, project, schema, views)
        for (const one of found) {
          if (one.state === 'CURRENT') continue
          const made = objects.get(one.view)
          const grants =
            one.state === 'OUTDATED' ? await grantsOn(client, schema, [one.latest, one.asOf]) : []
          if (one.state !== 'NEW') await dropObjects(client, schema, one)
          if (one.state === 'REMOVED') continue
          for (const statement of [...(made?.make ?? []), ...grants]) await client.query(statement)
        }
        return found
      }),
    drop: (schema) =>
      inOne(async (client) => {
        await client.query(`select pg_advisory_xact_lock(hashtext('featuregraph sql views'))`)
        const { found } = await compared(client, project, schema, [])
        for (const one of found) await dropObjects(client, schema, one)
        const left = await client.query(
          `select from pg_catalog.pg_namespace as n where n.nspname = $1
             and not exists (select from pg_catalog.pg_class as c where c.relnamespace = n.oid)
             and not exists (select from pg_catalog.pg_proc as p where p.pronamespace = n.oid)
             and not exists (select from pg_catalog.pg_type as t where t.typnamespace = n.oid)`,
          [schema],
        )
        if (found.length > 0 && left.rowCount === 1)
          await client.query(`drop schema ${quoteIdentifier(schema)}`)
        return found
      }),
  }
}

interface Compared {
  readonly found: readonly FoundSqlView[]
  /** By the name of the feature view. */
  readonly objects: ReadonlyMap<string, SqlObjects>
}

async function compared(
  client: pg.PoolClient,
  project: string,
  schema: string,
  views: readonly AnalysedView[],
): Promise<Compared> {
  const { rows } = await client.query<{ name: string; comment: string | null }>(
    `select c.relname as name, pg_catalog.obj_description(c.oid, 'pg_class') as comment
     from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
     where n.nspname = $1
     union all
     select p.proname || '()', null from pg_catalog.pg_proc as p
     join pg_catalog.pg_namespace as n on n.oid = p.pronamespace where n.nspname = $1`,
    [schema],
  )
  const there = new Map(rows.map(({ name, comment }) => [name, readMarker(comment)]))
  const objects = new Map<string, SqlObjects>()
  const found: FoundSqlView[] = []
  for (const view of views) {
    const made = sqlObjects(project, schema, view, await sourceTypes(client, project, view))
    objects.set(view.name, made)
    const marker = there.get(made.latest)
    refuseOthers(schema, made, there, project)
    const state = marker == null ? 'NEW' : marker.digest === made.digest ? 'CURRENT' : 'OUTDATED'
    found.push({ view: view.name, state, latest: made.latest, asOf: made.asOf })
  }
  for (const [latest, marker] of there) {
    if (marker === null || marker.project !== project || objects.has(marker.view)) continue
    found.push({ view: marker.view, state: 'REMOVED', latest, asOf: objectName(marker.view, '_as_of') })
  }
  return { found, objects }
}

/** @throws BadUserInput where a name is taken by what is not the project's own. */
function refuseOthers(
  schema: string,
  { latest, asOf }: SqlObjects,
  there: ReadonlyMap<string, Marker | null>,
  project: string,
): void {
  const marker = there.get(latest)
  if (marker && marker.project === project) return
  if (marker)
    throw new BadUserInput(
      `${schema}.${latest} is of project "${marker.project}"; give this project a schema of its own by --schema`,
    )
  const taken = [latest, `${asOf}()`].filter((name) => there.has(name))
  if (taken.length > 0)
    throw new BadUserInput(
      `${taken.map((name) => `${schema}.${name}`).join(' and ')} exists and was not made by sql-views; rename or drop it, or name another schema by --schema`,
    )
}

async function sourceTypes(client: pg.PoolClient, project: string, view: AnalysedView): Promise<ColumnTypes> {
  if (view.source === null) return new Map()
  const { fields } = await client.query(`select * from ${featureTable(project, view).from} as x limit 0`)
  return new Map(fields.map(({ name, dataTypeID }) => [name, dataTypeID]))
}

/** What others may do with the objects, as statements that say it again of new ones. */
async function grantsOn(
  client: pg.PoolClient,
  schema: string,
  [latest, asOf]: readonly [string, string],
): Promise<readonly string[]> {
  const { rows } = await client.query<{ statement: string }>(
    `select format('grant select on %I.%I to %s', $1::text, $2::text, coalesce(quote_ident(g.rolname), 'public')) as statement
     from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
     cross join lateral pg_catalog.aclexplode(c.relacl) as a left join pg_catalog.pg_roles as g on g.oid = a.grantee
     where n.nspname = $1 and c.relname = $2 and a.privilege_type = 'SELECT' and a.grantee <> c.relowner
     union all
     select format('grant execute on function %I.%I to %s', $1::text, $3::text, quote_ident(g.rolname))
     from pg_catalog.pg_proc as p join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
     cross join lateral pg_catalog.aclexplode(p.proacl) as a join pg_catalog.pg_roles as g on g.oid = a.grantee
     where n.nspname = $1 and p.proname = $3 and a.grantee <> p.proowner`,
    [schema, latest, asOf],
  )
  return rows.map(({ statement }) => statement)
}

async function dropObjects(
  client: pg.PoolClient,
  schema: string,
  { latest, asOf }: Pick<FoundSqlView, 'latest' | 'asOf'>,
): Promise<void> {
  const [view, routine] = [latest, asOf].map((name) => `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`)
  try {
    await client.query(`drop view if exists ${view}`)
    await client.query(`drop function if exists ${routine}(timestamptz, timestamptz)`)
  } catch (error) {
    if (errorCode(error) !== '2BP01') throw error
    const detail = error instanceof pg.DatabaseError ? (error.detail ?? '') : ''
    throw new BadUserInput(
      `${schema}.${latest} or ${schema}.${asOf} has to be replaced, and others are made from it; drop them first: ${detail.split('\n').join('; ')}`,
    )
  }
}

/** What a user of the database may change by his rights is said to him. */
function refusedOrFailed(error: unknown): never {
  if (errorCode(error) === '42501')
    throw new BadUserInput(
      `the database does not let its user make views: ${messageOf(error)}; as an admin: grant create on database … to …, or make the schema and give it to that user`,
    )
  return storeFailed('making SQL views')(error)
}
