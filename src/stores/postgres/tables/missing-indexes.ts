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

interface IndexColumns {
  /** In order, with their directions. */
  readonly keys: string
  /** Those that ride along. */
  readonly included: ReadonlySet<string>
}

/** What an index is over, written by Postgres or here. */
function columnsOf(definition: string): IndexColumns {
  const text = definition.slice(definition.indexOf('(')).toLowerCase().replace(/["\s]/g, '')
  const [keys = '', included = ''] = text.split('include(')
  return {
    keys,
    included: new Set(
      included
        .split(')')[0]
        ?.split(',')
        .filter((name) => name !== ''),
    ),
  }
}

/** Whether the first serves wherever the second would. */
function isCovering(one: IndexColumns, other: IndexColumns): boolean {
  return one.keys === other.keys && [...other.included].every((name) => one.included.has(name))
}

/** As the as-of indexes of feature tables are called, now and before they were named by their columns. */
const asOfName = /_as_of(?:_[0-9a-f]{8})?$/

/**
 * Of a table that is there: the indexes that it lacks, then those that others stand for. One that is not valid, since its
 * building was cut off, is missing too. To make one that is there would wait for everyone who writes to the table: a gateway
 * would not start while a file is imported. An index of another name over the same columns, or more that ride along, will do:
 * the as-of index was not always named by them. None does with a column that is about to be dropped, since Postgres drops it
 * too. Of a table's as-of indexes only one is kept: each more costs every write, and answers nothing.
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
  const there = rows.map(({ name, definition }) => ({ name, ...columnsOf(definition) }))
  const steps: TableStep[] = []
  for (const { name, definition } of wantedIndexes({ create })) {
    const wanted = columnsOf(definition)
    const covering = there.filter((one) => isCovering(one, wanted))
    const serving = covering.find((one) => quoteIdentifier(one.name) === name) ?? covering[0]
    if (!serving)
      steps.push({ kind: 'INDEX', what: `index ${name} on ${table}`, table, ...{ name, definition } })
    const others = there.filter(
      (one) => one.keys === wanted.keys && one !== serving && asOfName.test(one.name),
    )
    for (const other of others) {
      const otherName = quoteIdentifier(other.name)
      const what = `index ${otherName} on ${table}, which is not needed any more`
      steps.push({ kind: 'DROP_INDEX', what, table, name: otherName })
    }
  }
  return steps
}
