import { mkdir, rm } from 'node:fs/promises'
import path from 'node:path'
import type { DuckDBConnection } from '@duckdb/node-api'
import { BadUserInput } from '../../../errors.ts'
import { windowStart } from '../../../windows/hop.ts'
import type { FileJoin, JoinedRead } from '../../file-join.ts'
import type { JobEngine } from '../../job-engine.ts'
import type { FileColumns } from '../../join-sql/row-files-sql.ts'
import { askedSql, foundColumns, sparkJoinScript } from '../../join-sql/spark-script.ts'
import { duckDb, literalText } from '../../join-sql/sql-dialect.ts'
import type { SpineTimes } from './find-rows.ts'
import type { RowDeletions } from './join-file-view.ts'
import { leaveOutDeleted } from './leave-out-deleted.ts'
import { sameFiles } from './list-read-files.ts'

export interface JobFinding {
  readonly engine: JobEngine
  /** A folder that the engine reaches by the same name as this process; null: beside the output. */
  readonly exchange: string | null
  readonly onLog: (line: string) => void
  readonly deletions: RowDeletions
}

/**
 * By another engine: keys and times of the spine go out as a Parquet file, what was found for them comes back as files. Other columns
 * of the spine never leave. The files of the views have to be the same at the end. Rows of deleted entities are none.
 */
export function findRowsByJob({ engine, exchange, onLog, deletions }: JobFinding) {
  return async (
    connection: DuckDBConnection,
    join: FileJoin,
    {
      times,
      folder,
      signal,
    }: { readonly times: SpineTimes; readonly folder: string; readonly signal: AbortSignal },
  ): Promise<readonly string[]> => {
    const place = path.join(exchange ?? folder, path.basename(folder))
    const [spine, output] = [path.join(place, 'spine.parquet'), path.join(place, 'found')]
    try {
      await mkdir(place, { recursive: true })
      await connection.run(`copy spine to ${literalText(spine)} (format parquet)`)
      for (const read of join.reads) await refuseUnfit(connection, read)
      const sql = await jobScript(connection, join, { spine, output, times })
      const inputs = [spine, ...join.reads.map((read) => read.files.path)]
      await engine.run(
        { name: `featuregraph training set ${path.basename(join.out)}`, sql, inputs, output },
        { signal, onLog },
      )
      for (const read of join.reads) await sameFiles(connection, read.files)
      const files = `read_parquet(${literalText(`${output}/*.parquet`)}, hive_partitioning = false)`
      await connection.run(`create temp table answered as select * from ${files}`)
      for (const [index, read] of join.reads.entries()) {
        const taken = foundColumns(read).map((column) => `${ofType(column, index, read)} as ${column}`)
        await connection.run(
          `create temp table found_${index} as select place, ${taken.join(', ')} from answered where e_${index} is not null`,
        )
        if (read.kind !== 'ROWS') continue
        await connection.run(`create temp view asked_${index} as ${askedSql(read, 'spine')}`)
        await leaveOutDeleted(connection, read, index, deletions)
      }
      return join.reads.map((_, index) => `found_${index}`)
    } finally {
      if (exchange !== null) await rm(place, { recursive: true, force: true })
    }
  }
}

/** What `findRowsByJob` has the engine run. */
export async function jobScript(
  connection: DuckDBConnection,
  join: Pick<FileJoin, 'reads' | 'knownAt'>,
  { spine, output, times }: { readonly spine: string; readonly output: string; readonly times: SpineTimes },
): Promise<string> {
  const columns: FileColumns[] = []
  for (const read of join.reads) columns.push(await timeColumns(connection, read))
  const span = { from: earliestStart(join.reads, times.from), to: times.to }
  return sparkJoinScript(join, { spine, output, columns, span })
}

/** Spark writes what it has; lists and timestamps come back as DuckDB has them. */
function ofType(column: string, index: number, { features }: JoinedRead): string {
  const feature = /^f(\d+)$/.exec(column)?.[1]
  const type = feature === undefined ? null : features[Number(feature)]?.type
  return type ? `${column}_${index}::${duckDb.typeOf(type)}` : `${column}_${index}`
}

/**
 * Spark reads one type a column, where DuckDB takes what holds both: said before a job is submitted, which would end in a stack.
 * @throws BadUserInput for what only DuckDB reads.
 */
async function refuseUnfit(connection: DuckDBConnection, { files }: JoinedRead): Promise<void> {
  if (files.files.length === 0)
    throw new BadUserInput(`${files.path} has no Parquet files; expected some for Spark`)
  const type = `concat_ws(' ', type, coalesce(logical_type, converted_type))`
  const reader = await connection.runAndReadAll(
    `select name, min(${type}) as one, arg_min(file_name, ${type}), max(${type}) as other, arg_max(file_name, ${type})
     from parquet_schema([${files.files.map(({ path }) => literalText(path)).join(', ')}])
     where type is not null group by name having one <> other order by name limit 1`,
  )
  const [differing] = reader.getRows().map((row) => row.map(String))
  if (differing === undefined) return
  const [name, one, file, other, otherFile] = differing
  throw new BadUserInput(
    `column "${name}" is ${one} in ${file} and ${other} in ${otherFile}; Spark reads one type a column: write one of them again, or take DuckDB as the engine`,
  )
}

function earliestStart(reads: readonly JoinedRead[], from: number): number {
  return Math.min(
    from,
    ...reads.flatMap((read) =>
      read.kind === 'ROWS'
        ? []
        : read.aggregations.map(({ windowMicros, hopMicros }) => windowStart(from, windowMicros, hopMicros)),
    ),
  )
}

/** Of no files, as before their first export: nothing is known of a column, and exports hold instants. */
async function timeColumns(connection: DuckDBConnection, read: JoinedRead): Promise<FileColumns> {
  const [first] = read.files.files
  if (first === undefined) return new Map()
  const reader = await connection.runAndReadAll(
    `describe select * from read_parquet(${literalText(first.path.replace(/[*?[]/g, '[$&]'))}, hive_partitioning = false)`,
  )
  return new Map(
    reader.getRows().map(([name, type]) => {
      const text = String(type)
      if (text === 'TIMESTAMP WITH TIME ZONE') return [String(name), 'INSTANT'] as const
      return [String(name), text.startsWith('TIMESTAMP') ? 'LOCAL' : 'OTHER'] as const
    }),
  )
}
