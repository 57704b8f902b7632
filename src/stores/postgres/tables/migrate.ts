import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import type pg from 'pg'
import { FeaturegraphError, MigrationFailed, messageOf } from '../../../errors.ts'
import { inTransaction, storeFailed } from '../sql/pool.ts'
import { isMissingRight, missingRight, readSession } from './missing-right.ts'

const filePattern = /^(\d{4})_[a-z0-9_]+\.sql$/

/**
 * Applies the folder's numbered SQL files that the database has not seen, in order, each with its record in one
 * transaction, under an advisory lock: gateways that start together take turns. Answers the names applied now. The pool has no statement timeout.
 * Where nothing is to be applied, the role needs no right but to read what was.
 * @throws MigrationFailed when a file fails, or an applied file has changed or is missing here; StoreUnsuitable when the
 * role lacks a right.
 */
export async function migrate(pool: pg.Pool, folder: string): Promise<readonly string[]> {
  const files = (await readdir(folder)).filter((name) => filePattern.test(name)).sort()
  return inTransaction(pool, async (client) => {
    await client.query('set local synchronous_commit = on')
    await client.query(`select pg_advisory_xact_lock(hashtext('featuregraph migrations'))`)
    const lacking = missingRight(await readSession(client), {
      schema: 'featuregraph',
      owner: 'featuregraph migrate',
    })
    const known = await readApplied(client).catch(lacking)
    for (const name of known.keys()) {
      if (!files.includes(name))
        throw new MigrationFailed(
          `the database has migration ${name}, which this version lacks; run the newer version`,
        )
    }
    const news: string[] = []
    for (const name of files) {
      const text = await readFile(path.join(folder, name), 'utf8')
      const sha256 = createHash('sha256').update(text).digest('hex')
      const before = known.get(name)
      if (before === undefined) {
        await apply(client, name, text, sha256).catch(lacking)
        news.push(name)
      } else if (before !== sha256) {
        throw new MigrationFailed(
          `migration ${name} was changed after it was applied; migrations are append-only`,
        )
      }
    }
    return news
  }).catch((error: unknown) => {
    if (error instanceof FeaturegraphError) throw error
    return storeFailed('migrating')(error)
  })
}

/**
 * Name → digest. Looked for first: `create … if not exists` needs the right to create even where there is nothing to do.
 */
async function readApplied(client: pg.PoolClient): Promise<ReadonlyMap<string, string>> {
  const { rows: found } = await client.query<{ schema: boolean; table: boolean }>(
    `select to_regnamespace('featuregraph') is not null as schema,
       exists (select from pg_tables where schemaname = 'featuregraph' and tablename = 'migrations') as table`,
  )
  if (!found[0]?.schema) await client.query('create schema featuregraph')
  if (!found[0]?.table) {
    await client.query(
      `create table featuregraph.migrations
       (name text primary key, sha256 text not null, applied_at timestamptz not null default now())`,
    )
  }
  const { rows } = await client.query<{ name: string; sha256: string }>(
    'select name, sha256 from featuregraph.migrations',
  )
  return new Map(rows.map((row) => [row.name, row.sha256]))
}

async function apply(client: pg.PoolClient, name: string, text: string, sha256: string): Promise<void> {
  try {
    await client.query(text)
  } catch (cause) {
    if (isMissingRight(cause)) throw cause
    throw new MigrationFailed(`migration ${name} failed: ${messageOf(cause)}`, { cause })
  }
  await client.query('insert into featuregraph.migrations (name, sha256) values ($1, $2)', [name, sha256])
}
