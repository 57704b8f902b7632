import type { DuckDBConnection } from '@duckdb/node-api'
import { windowStart } from '../../../windows/hop.ts'
import type {
  FileJoin,
  JoinExplanation,
  JoinedKnownAt,
  JoinedRead,
  RowRead,
  WindowRead,
} from '../../file-join.ts'
import { newestRowStatements, type ReadRelations } from '../../join-sql/newest-row-sql.ts'
import { askedSql } from '../../join-sql/spark-script.ts'
import { duckDb } from '../../join-sql/sql-dialect.ts'
import { eventFilesSql, windowsSelect } from '../../join-sql/windows-sql.ts'
import type { RowDeletions } from './join-file-view.ts'
import { joinedEventsRelation, joinedRowsSql } from './joined-files.ts'
import { leaveOutDeleted } from './leave-out-deleted.ts'

/** Of the spine's rows. */
export interface SpineTimes {
  readonly from: number
  readonly to: number
}

/**
 * By DuckDB itself: fills, for each read, a table of the rows that were found for the table `spine`; their names. Rows of deleted
 * entities are none.
 */
export function findRowsBy(deletions: RowDeletions) {
  return async (
    connection: DuckDBConnection,
    join: Pick<FileJoin, 'reads' | 'knownAt'>,
    { times }: { readonly times: SpineTimes },
  ): Promise<readonly string[]> => {
    const found: string[] = []
    for (const [index, read] of join.reads.entries()) {
      for (const statement of await readStatements(connection, join, { read, index, times }))
        await connection.run(statement)
      if (read.kind === 'ROWS') await leaveOutDeleted(connection, read, index, deletions)
      found.push(`found_${index}`)
    }
    return found
  }
}

/** What `findRowsBy` runs for each read, for a reader, who is spared the names of all files. */
export function findingStatements(
  { reads, knownAt }: Pick<FileJoin, 'reads' | 'knownAt'>,
  times: SpineTimes,
): JoinExplanation['statements'] {
  const sql = reads.map((read, index) => {
    const relations = relationsOf(index)
    const statements =
      read.kind === 'ROWS'
        ? rowStatements(read, relations, knownAt)
        : windowStatements(read, relations, { from: `files_${index}`, times, knownAt })
    return statements.map((statement) => `${statement};\n`).join('')
  })
  return { kind: 'BY_READ', sql }
}

function relationsOf(index: number): ReadRelations {
  return { rows: `rows_${index}`, asked: `asked_${index}`, found: `found_${index}` }
}

function askedView(read: JoinedRead, { asked }: ReadRelations): string {
  return `create temp view ${asked} as ${askedSql(read, 'spine')}`
}

/** Behind a view of the files' rows. */
function rowStatements(read: RowRead, relations: ReadRelations, knownAt: JoinedKnownAt): readonly string[] {
  return [askedView(read, relations), ...newestRowStatements(read, relations, knownAt)]
}

function windowStatements(
  read: WindowRead,
  relations: ReadRelations,
  {
    from,
    times,
    knownAt,
  }: { readonly from: string; readonly times: SpineTimes; readonly knownAt: JoinedKnownAt },
): readonly string[] {
  const starts = read.aggregations.map(({ windowMicros, hopMicros }) =>
    windowStart(times.from, windowMicros, hopMicros),
  )
  const span = { from: Math.min(...starts), to: times.to }
  return [
    `create temp view ${relations.rows} as ${eventFilesSql(read, { from, span, knownAt }, duckDb)}`,
    askedView(read, relations),
    `create temp table ${relations.found} as\n${windowsSelect(read, relations, knownAt, duckDb)}`,
  ]
}

async function readStatements(
  connection: DuckDBConnection,
  { knownAt }: Pick<FileJoin, 'knownAt'>,
  { read, index, times }: { readonly read: JoinedRead; readonly index: number; readonly times: SpineTimes },
): Promise<readonly string[]> {
  const relations = relationsOf(index)
  if (read.files.files.length === 0) return [`create temp table ${relations.found} as ${nothingFound(read)}`]
  if (read.kind === 'WINDOWS') {
    const from = await joinedEventsRelation(connection, read)
    return windowStatements(read, relations, { from, times, knownAt })
  }
  return [
    `create temp view ${relations.rows} as ${await joinedRowsSql(connection, read.view, read.files, { knownAt, features: 'TYPED' })}`,
    ...rowStatements(read, relations, knownAt),
  ]
}

/** Of no files: no rows, with the columns that there would be. */
function nothingFound({ features }: JoinedRead): string {
  const values = features.map(({ type }, index) => `cast(null as ${duckDb.typeOf(type)}) as f${index}`)
  return `select 0::BIGINT as place, 0::BIGINT as e, false as closing${values.map((value) => `, ${value}`).join('')} where false`
}
