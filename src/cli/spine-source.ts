import { mkdtemp, rm } from 'node:fs/promises'
import path from 'node:path'
import type pg from 'pg'
import { BadUserInput, messageOf } from '../errors.ts'
import { postgresSpineQuery } from '../stores/postgres/imports/spine-query.ts'

interface SpineArguments {
  readonly spine?: string
  readonly spineSql?: string
  readonly out: string
}

/** Where the rows of a spine stand. */
interface SpineSource {
  readonly path: string
  /** The statement that they are of; null: of a file. */
  readonly sql: string | null
  readonly close: () => Promise<void>
}

/** @throws BadUserInput where both are given, or neither. */
export function checkSpine({ spine, spineSql }: Pick<SpineArguments, 'spine' | 'spineSql'>): void {
  if ((spine === undefined) === (spineSql === undefined))
    throw new BadUserInput(
      'the spine is --spine <file>, or --spine-sql <select> on the offline database; give one of them',
    )
}

/**
 * A file, or the rows of a statement in a Parquet file beside the output, which `close` removes. `cardSql`: what the card of a
 * training set names as its statement.
 */
export async function openSpine(
  pool: pg.Pool,
  { spine, spineSql, out }: SpineArguments,
  cardSql: string | null,
): Promise<SpineSource> {
  if (spine !== undefined) return { path: spine, sql: null, close: async () => {} }
  const sql = spineSql ?? cardSql ?? ''
  const folder = await mkdtemp(path.join(path.dirname(out), '.featuregraph-')).catch((error: unknown) => {
    throw new BadUserInput(`${out} cannot be written: ${messageOf(error)}`)
  })
  const close = (): Promise<void> => rm(folder, { recursive: true, force: true })
  try {
    const { csvToParquet } = await import('../stores/duckdb/csv-to-parquet.ts')
    const target = path.join(folder, 'spine.parquet')
    await postgresSpineQuery(pool, csvToParquet).toParquet(sql, target)
    return { path: target, sql, close }
  } catch (error) {
    await close()
    throw error
  }
}
