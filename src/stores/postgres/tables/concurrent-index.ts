import { createHash } from 'node:crypto'
import type pg from 'pg'
import { errorCode } from '../../../errors.ts'
import type { TableStep } from '../../table-changes.ts'
import { quoteIdentifier } from '../sql/identifier.ts'
import { inTransaction } from '../sql/pool.ts'
import { backendPid, watchBlockers } from './blocking-sessions.ts'
import { makeShortStep, type ShortStepOptions } from './short-step.ts'

type IndexStep = Extract<TableStep, { readonly kind: 'INDEX' }>

const deadlock = '40P01'

/**
 * Builds the index while the table is read and written; it waits, without keeping anyone out, for transactions that are
 * older. On a partitioned table partition by partition, since Postgres builds no index of the whole concurrently: each is
 * attached to one that becomes valid with the last of them, and new partitions get theirs with it.
 */
export async function buildIndex(
  pool: pg.Pool,
  { what, table, name, definition }: IndexStep,
  options: ShortStepOptions,
): Promise<void> {
  const schema = schemaOf(table)
  const partitions = await partitionsOf(pool, table)
  if (partitions === null) return await buildOne(pool, { what, schema, table, name, definition }, options)
  const parent = `create index if not exists ${name} on only ${table} ${definition}`
  await makeShortStep(pool, what, [parent], options)
  for (const partition of partitions) {
    if (await isAttached(pool, `${schema}.${name}`, partition)) continue
    const part = {
      ...{ what, schema: schemaOf(partition), table: partition, definition },
      name: partitionIndexName(name, partition),
    }
    await buildOne(pool, part, options)
    const attach = `alter index ${schema}.${name} attach partition ${part.schema}.${part.name}`
    await makeShortStep(pool, what, [attach], options)
  }
}

/** Waits for who uses it, without keeping anyone out. */
export async function dropIndex(
  pool: pg.Pool,
  { what, table, name }: Extract<TableStep, { readonly kind: 'DROP_INDEX' }>,
  options: ShortStepOptions,
): Promise<void> {
  await othersHaveBuilt(pool, table)
  await reportingWaits(pool, what, `drop index concurrently if exists ${schemaOf(table)}.${name}`, options)
}

interface OneIndex extends Pick<IndexStep, 'what' | 'table' | 'name' | 'definition'> {
  readonly schema: string
}

async function buildOne(
  pool: pg.Pool,
  { what, schema, table, name, definition }: OneIndex,
  options: ShortStepOptions,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    await othersHaveBuilt(pool, table)
    const state = await indexState(pool, `${schema}.${name}`)
    if (state === 'VALID') return
    if (state === 'INVALID')
      await reportingWaits(pool, what, `drop index concurrently ${schema}.${name}`, options)
    try {
      return await reportingWaits(
        pool,
        what,
        `create index concurrently ${name} on ${table} ${definition}`,
        options,
      )
    } catch (error) {
      if (errorCode(error) !== deadlock || attempt === options.timing.tries) throw error
    }
  }
}

/**
 * A build whose process was killed goes on in the server. It holds this lock until its end, which keeps nobody out who reads
 * or writes; neither does waiting for it.
 */
async function othersHaveBuilt(pool: pg.Pool, table: string): Promise<void> {
  await inTransaction(pool, (client) =>
    client.query(`lock table only ${table} in share update exclusive mode`),
  )
}

async function indexState(pool: pg.Pool, index: string): Promise<'VALID' | 'INVALID' | 'MISSING'> {
  const { rows } = await pool.query<{ valid: boolean }>(
    'select indisvalid as valid from pg_index where indexrelid = to_regclass($1)',
    [index],
  )
  const [row] = rows
  if (row === undefined) return 'MISSING'
  return row.valid ? 'VALID' : 'INVALID'
}

/** No transaction may be open around it. */
async function reportingWaits(
  pool: pg.Pool,
  what: string,
  statement: string,
  { timing, report }: ShortStepOptions,
): Promise<void> {
  const client = await pool.connect()
  try {
    const watch = watchBlockers(pool, await backendPid(client), timing.lockTimeoutMs, (blockers) =>
      report(`${what} waits for the end of the transaction of ${blockers}`),
    )
    try {
      await client.query(statement)
    } finally {
      await watch.end()
    }
  } finally {
    client.release()
  }
}

/** Quoted; null: the table is not partitioned. */
async function partitionsOf(pool: pg.Pool, table: string): Promise<readonly string[] | null> {
  const { rows } = await pool.query<{ partitioned: boolean; partitions: string[] }>(
    `select c.relkind = 'p' as partitioned, array(
       select quote_ident(n.nspname) || '.' || quote_ident(p.relname)
       from pg_inherits as i join pg_class as p on p.oid = i.inhrelid join pg_namespace as n on n.oid = p.relnamespace
       where i.inhparent = c.oid order by p.relname) as partitions
     from pg_class as c where c.oid = to_regclass($1)`,
    [table],
  )
  return rows[0]?.partitioned ? rows[0].partitions : null
}

async function isAttached(pool: pg.Pool, index: string, partition: string): Promise<boolean> {
  const { rows } = await pool.query(
    `select from pg_inherits as i join pg_index as x on x.indexrelid = i.inhrelid
     where i.inhparent = to_regclass($1) and x.indrelid = to_regclass($2)`,
    [index, partition],
  )
  return rows.length > 0
}

function schemaOf(table: string): string {
  return /^((?:"(?:[^"]|"")+")|[^".]+)\./.exec(table)?.[1] ?? quoteIdentifier('public')
}

/** One for each partition and index, whatever their lengths. */
function partitionIndexName(name: string, partition: string): string {
  const digest = createHash('sha256').update(`${name}\0${partition}`).digest('hex').slice(0, 12)
  return quoteIdentifier(`${name.slice(1, -1).replaceAll('""', '"').slice(0, 50)}_${digest}`)
}
