import type { DuckDBConnection } from '@duckdb/node-api'
import { windowStart } from '../../../windows/hop.ts'
import type { FileJoin, JoinedRead } from '../../file-join.ts'
import { newestRowStatements } from '../../join-sql/newest-row-sql.ts'
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

async function readStatements(
  connection: DuckDBConnection,
  { knownAt }: Pick<FileJoin, 'knownAt'>,
  { read, index, times }: { readonly read: JoinedRead; readonly index: number; readonly times: SpineTimes },
): Promise<readonly string[]> {
  const relations = { rows: `rows_${index}`, asked: `asked_${index}`, found: `found_${index}` }
  const asked = `create temp view ${relations.asked} as ${askedSql(read, 'spine')}`
  if (read.files.files.length === 0) return [`create temp table ${relations.found} as ${nothingFound(read)}`]
  if (read.kind === 'WINDOWS') {
    const starts = read.aggregations.map(({ windowMicros, hopMicros }) =>
      windowStart(times.from, windowMicros, hopMicros),
    )
    const span = { from: Math.min(...starts), to: times.to }
    const from = await joinedEventsRelation(connection, read)
    return [
      `create temp view ${relations.rows} as ${eventFilesSql(read, { from, span, knownAt }, duckDb)}`,
      asked,
      `create temp table ${relations.found} as\n${windowsSelect(read, relations, knownAt, duckDb)}`,
    ]
  }
  return [
    `create temp view ${relations.rows} as ${await joinedRowsSql(connection, read.view, read.files, { knownAt, features: 'TYPED' })}`,
    asked,
    ...newestRowStatements(read, relations, knownAt),
  ]
}

/** Of no files: no rows, with the columns that there would be. */
function nothingFound({ features }: JoinedRead): string {
  const values = features.map(({ type }, index) => `cast(null as ${duckDb.typeOf(type)}) as f${index}`)
  return `select 0::BIGINT as place, 0::BIGINT as e, false as closing${values.map((value) => `, ${value}`).join('')} where false`
}
