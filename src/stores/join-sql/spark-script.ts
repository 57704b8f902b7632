import type { FileJoin, JoinedRead } from '../file-join.ts'
import { newestRowSelect } from './newest-row-sql.ts'
import { type FileColumns, rowFilesSql } from './row-files-sql.ts'
import { type SqlDialect, spark } from './sql-dialect.ts'
import { type EventSpan, eventFilesSql, windowsSelect } from './windows-sql.ts'

export interface SparkPlaces {
  /** A Parquet file or folder of the spine: `place`, `t` and the keys `key_0` …. */
  readonly spine: string
  /** The folder that is written: `place`, and of each read that found a row `e_<read>`, `closing_<read>` and `f<feature>_<read>`. */
  readonly output: string
  /** By the reads, of feature rows: what their files' columns are. */
  readonly columns: readonly FileColumns[]
  readonly span: EventSpan
}

/** Times in UTC and as microseconds, whatever the machine and its Java think; columns of any file that has them. */
const settings = [
  'set spark.sql.session.timeZone=UTC',
  'set spark.sql.parquet.outputTimestampType=TIMESTAMP_MICROS',
  'set spark.sql.parquet.mergeSchema=true',
  'set spark.sql.ansi.enabled=true',
]

/**
 * One script that finds, for every row of the spine, the rows and windows of all reads. No functions of our own: what Spark's SQL has.
 * Statements end with a semicolon at their line's end.
 */
export function sparkJoinScript(
  { reads, knownAt }: Pick<FileJoin, 'reads' | 'knownAt'>,
  { spine, output, columns, span }: SparkPlaces,
): string {
  const statements = [...settings, filesView('spine', spine)]
  reads.forEach((read, index) => {
    const relations = { rows: `rows_${index}`, asked: `asked_${index}` }
    statements.push(filesView(`files_${index}`, read.files.path))
    const from = `files_${index}`
    const rows =
      read.kind === 'WINDOWS'
        ? eventFilesSql(read, { from, span, knownAt }, spark)
        : rowFilesSql(read, { from, columns: columns[index] ?? new Map(), knownAt }, spark)
    const found =
      read.kind === 'WINDOWS'
        ? windowsSelect(read, relations, knownAt, spark)
        : newestRowSelect(read, relations, knownAt)
    statements.push(
      `create or replace temporary view ${relations.rows} as\n${rows}`,
      `create or replace temporary view ${relations.asked} as\n${askedSql(read, 'spine')}`,
      `create or replace temporary view found_${index} as\n${found}`,
    )
  })
  const taken = reads.flatMap((read, index) =>
    foundColumns(read).map((column) => `r${index}.${column} as ${column}_${index}`),
  )
  const joins = reads.map((_, index) => `left join found_${index} as r${index} on r${index}.place = s.place`)
  statements.push(
    `insert overwrite directory ${spark.text(output)} using parquet\nselect ${['s.place', ...taken].join(', ')}\nfrom spine as s\n${joins.join('\n')}`,
  )
  return statements.map((statement) => `${statement};\n`).join('')
}

/** Of what a read found, beside the place. */
export function foundColumns({ features }: Pick<JoinedRead, 'features'>): readonly string[] {
  return ['e', 'closing', ...features.map((_, index) => `f${index}`)]
}

/** Spine rows that a read is asked for: those with all of its keys and a time. */
export function askedSql({ keys }: Pick<JoinedRead, 'keys'>, spine: string): string {
  const columns = keys.map(({ place }, index) => `key_${place} as k${index}`)
  const whole = ['t', ...keys.map(({ place }) => `key_${place}`)].map((column) => `${column} is not null`)
  return `select place, t, ${columns.join(', ')} from ${spine} where ${whole.join(' and ')}`
}

/** Folders by their names are not taken for partitions: what is in a file is all that is read. */
function filesView(name: string, path: string, { quoted, text }: SqlDialect = spark): string {
  return `create or replace temporary view ${quoted(name)} using parquet options (path ${text(path)}, recursiveFileLookup 'true')`
}
