import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import type pg from 'pg'
import { FeaturegraphError, MigrationFailed, messageOf } from '../../../errors.ts'
import { inTransaction, storeFailed } from '../sql/pool.ts'

const filePattern = /^(\d{4})_[a-z0-9_]+\.sql$/

/**
 * Applies the folder's numbered SQL files that the database has not seen, in order, each with its record in one
 * transaction, under an advisory lock: gateways that start together take turns. Answers the names applied now. The pool has no statement timeout.
 * @throws MigrationFailed when a file fails, or an applied file has changed or is missing here.
 */
export async function migrate(pool: pg.Pool, folder: string): Promise<readonly string[]> {
  const files = (await readdir(folder)).filter((name) => filePattern.test(name)).sort()
  return inTransaction(pool, async (client) => {
    await client.query('set local synchronous_commit = on')
    await client.query(`select pg_advisory_xact_lock(hashtext('featuregraph migrations'))`)
    await client.query('create schema if not exists featuregraph')
    await client.query(
      `create table if not exists featuregraph.migrations
       (name text primary key, sha256 text not null, applied_at timestamptz not null default now())`,
    )
    const applied = await client.query<{ name: string; sha256: string }>(
      'select name, sha256 from featuregraph.migrations',
    )
    const known = new Map(applied.rows.map((row) => [row.name, row.sha256]))
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
        await apply(client, name, text, sha256)
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

async function apply(client: pg.PoolClient, name: string, text: string, sha256: string): Promise<void> {
  try {
    await client.query(text)
  } catch (cause) {
    throw new MigrationFailed(`migration ${name} failed: ${messageOf(cause)}`, { cause })
  }
  await client.query('insert into featuregraph.migrations (name, sha256) values ($1, $2)', [name, sha256])
}
