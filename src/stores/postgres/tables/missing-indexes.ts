import type pg from 'pg'
import type { TableStep } from '../../table-changes.ts'
import { quoteIdentifier } from '../sql/identifier.ts'
import type { WantedTable } from './unknown-columns.ts'

/** As the statements that make a table are written. */
const indexStatement =
  /^create index if not exists ("(?:[^"]|"")+") on ("(?:[^"]|"")+"\."(?:[^"]|"")+")\s+([\s\S]+)$/

interface WantedIndex {
  /** Quoted. */
  readonly name: string
  /** What follows the table. */
  readonly definition: string
}

/** Of the statements that make a table, those that make its indexes. */
function wantedIndexes({ create }: Pick<WantedTable, 'create'>): readonly WantedIndex[] {
  return create.flatMap((statement) => {
    const [, name, , definition] = indexStatement.exec(statement) ?? []
    return name === undefined || definition === undefined ? [] : [{ name, definition }]
  })
}

/** What an index is over, written by Postgres or here. */
function comparable(definition: string): string {
  return definition.slice(definition.indexOf('(')).toLowerCase().replace(/["\s]/g, '')
}

/**
 * Of a table that is there. One that is not valid, since its building was cut off, is missing too. To make one that is there
 * would wait for everyone who writes to the table: a gateway would not start while a file is imported. An index of another
 * name over the same columns, or more that ride along, will do: the as-of index was not always named by them. None does with
 * a column that is about to be dropped, since Postgres drops it too.
 */
export async function missingIndexes(
  client: pg.PoolClient,
  { table, create }: Pick<WantedTable, 'table' | 'create'>,
  dropped: readonly string[] = [],
): Promise<readonly TableStep[]> {
  const { rows } = await client.query<{ name: string; definition: string }>(
    `select relname as name, pg_get_indexdef(oid) as definition from pg_index join pg_class on oid = indexrelid
     where indrelid = to_regclass($1) and indisvalid and not exists (
       select from pg_attribute where attrelid = indrelid and attnum = any (indkey) and attname = any ($2::text[]))`,
    [table, dropped],
  )
  const valid = rows.map(({ name }) => quoteIdentifier(name))
  const covered = rows.map(({ definition }) => comparable(definition))
  return wantedIndexes({ create })
    .filter(({ name }) => !valid.includes(name))
    .filter(({ definition }) => !covered.some((one) => one.startsWith(comparable(definition))))
    .map((index) => ({ kind: 'INDEX', what: `index ${index.name} on ${table}`, table, ...index }))
}
