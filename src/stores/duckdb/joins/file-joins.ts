import { mkdtemp, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import type { DuckDBConnection } from '@duckdb/node-api'
import { type FeatureStatus, featureStatuses } from '../../../definitions/row-status.ts'
import { BadUserInput, errorCode, messageOf } from '../../../errors.ts'
import type {
  ExplainedJoin,
  FileJoin,
  FileJoins,
  JoinExplanation,
  JoinedSpine,
  MadeJoin,
} from '../../file-join.ts'
import { answersSelect, countsSelect, madeColumnsSql, summarizedColumns } from '../../join-sql/answers-sql.ts'
import { duckDb, literalText } from '../../join-sql/sql-dialect.ts'
import type { LakeAccess } from '../../lake-access.ts'
import type { FeatureCounts, SpineCounts } from '../../training-counts.ts'
import type { ColumnSummary, TrainingFormat } from '../../training-file.ts'
import { summarizeColumn } from '../column-summary.ts'
import { firstLineOf } from '../duckdb-files.ts'
import { connectDuckDb } from '../open-duckdb.ts'
import type { SpineTimes } from './find-rows.ts'
import { spineRelation, takeSpine } from './spine-table.ts'

export interface FileJoinsOptions {
  /** As `2GB`; what does not fit is beside the output, on disk. */
  readonly memoryLimit: string
  readonly threads: number
  readonly lake: LakeAccess | null
  /** Who finds the rows: names of relations with them, by the reads. */
  readonly findRows: (
    connection: DuckDBConnection,
    join: FileJoin,
    around: { readonly times: SpineTimes; readonly folder: string; readonly signal: AbortSignal },
  ) => Promise<readonly string[]>
  /** What `findRows` would run. */
  readonly statements: (
    connection: DuckDBConnection,
    join: ExplainedJoin,
    times: SpineTimes,
  ) => Promise<JoinExplanation['statements']>
}

const copyOptions: Readonly<Record<Exclude<TrainingFormat, 'arrow'>, string>> = {
  parquet: 'format parquet, compression zstd',
  csv: 'format csv, header',
  ndjson: 'format json',
}

/** The spine is read, the answers are put together and the file is written by DuckDB, by which engine the rows are found. */
export function duckDbFileJoins(options: FileJoinsOptions): FileJoins {
  return {
    explain: async (join) => {
      const { memoryLimit, threads, lake } = options
      const paths = join.reads.flatMap(({ files }) => files.files.map((file) => file.path))
      const { connection, close } = await connectDuckDb({
        memoryLimit,
        threads,
        paths,
        ...(lake && { lake }),
      })
      try {
        await makeSpine(connection, join.spine)
        const spine = await countSpine(connection, join)
        return { spine, statements: await options.statements(connection, join, timesOf(spine)) }
      } catch (error) {
        throw asRefusal(error, join.spine.path)
      } finally {
        close()
      }
    },
    inspect: async (spine) => {
      const { connection, close } = await connectDuckDb({ memoryLimit: options.memoryLimit })
      try {
        const taken = await takeSpine(connection, spine)
        const [rows] = await numbers(connection, `select count(*) from ${spineRelation(spine)}`)
        const unfit = 'unfit' in taken ? taken.unfit : await firstUnmet(connection, spine, taken.conditions)
        return { rows: rows ?? 0, unfit }
      } finally {
        close()
      }
    },
    async make(join, { onProgress, signal }) {
      const folder = await mkdtemp(path.join(path.dirname(join.out), '.featuregraph-')).catch(
        (error: unknown) => {
          throw new BadUserInput(`${join.out} cannot be written: ${messageOf(error)}`)
        },
      )
      const { memoryLimit, threads, lake } = options
      const paths = join.reads.flatMap(({ files }) => files.files.map((file) => file.path))
      const opened = { memoryLimit, threads, temporary: folder, paths, ...(lake && { lake }) }
      try {
        const { connection, close } = await connectDuckDb(opened)
        const interrupt = (): void => connection.interrupt()
        signal.addEventListener('abort', interrupt)
        try {
          signal.throwIfAborted()
          return await made(connection, join, { folder, findRows: options.findRows, onProgress, signal })
        } catch (error) {
          signal.throwIfAborted()
          throw asRefusal(error, join.out)
        } finally {
          signal.removeEventListener('abort', interrupt)
          close()
        }
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    },
  }
}

interface Making extends Pick<FileJoinsOptions, 'findRows'> {
  readonly folder: string
  readonly onProgress: (done: number, rows: number) => void
  readonly signal: AbortSignal
}

async function made(
  connection: DuckDBConnection,
  join: FileJoin,
  { folder, findRows, onProgress, signal }: Making,
): Promise<MadeJoin> {
  await makeSpine(connection, join.spine)
  const spine = await countSpine(connection, join)
  onProgress(0.05, spine.rows)
  const found = await findRows(connection, join, { times: timesOf(spine), folder, signal })
  onProgress(0.7, spine.rows)
  await connection.run(`create temp table answers as ${answersSelect(join, { spine: 'spine', found })}`)
  const features = await countAnswers(connection, join)
  const summaries = await summarize(connection, join, spine.rows)
  onProgress(0.85, spine.rows)
  const shown = join.spine.columns.map((column) => `p.${duckDb.quoted(column)}`)
  const select = `select ${[...shown, ...madeColumnsSql(join)].join(', ')} from ${spineRelation(join.spine)} as p positional join answers as a`
  const written = path.join(folder, 'written')
  if (join.format === 'arrow')
    await (await import('../write-arrow.ts')).writeArrow(connection, select, written)
  else await connection.run(`copy (${select}) to ${literalText(written)} (${copyOptions[join.format]})`)
  signal.throwIfAborted()
  const { size } = await stat(written)
  await rename(written, join.out)
  onProgress(1, spine.rows)
  return { bytes: size, spine, features, summaries }
}

/** The table `spine`. */
async function makeSpine(connection: DuckDBConnection, spine: JoinedSpine): Promise<void> {
  const taken = await takeSpine(connection, spine)
  if ('unfit' in taken) throw new TypeError(`the spine's ${taken.unfit}`)
  await connection.run(`create temp table spine as ${taken.select}`)
}

function timesOf({ from, to }: SpineCounts): SpineTimes {
  return { from: from ?? 0, to: to ?? 0 }
}

async function countSpine(
  connection: DuckDBConnection,
  { spine: { keys }, takenAt }: Pick<FileJoin, 'spine' | 'takenAt'>,
): Promise<SpineCounts> {
  const missing = keys.map((_, index) => `key_${index} is null`).join(' or ')
  const [rows, missingKeys, missingTimes, ahead, from, to] = await numbers(
    connection,
    `select count(*), count(*) filter (${missing === '' ? 'false' : missing}), count(*) filter (t is null), count(*) filter (t > ${takenAt}), min(t), max(t) from spine`,
  )
  return {
    ...{ rows: rows ?? 0, missingKeys: missingKeys ?? 0, missingTimes: missingTimes ?? 0, ahead: ahead ?? 0 },
    ...{ from: from ?? null, to: to ?? null },
  }
}

async function countAnswers(connection: DuckDBConnection, join: FileJoin): Promise<readonly FeatureCounts[]> {
  const counts = await numbers(connection, countsSelect(join, 'answers'))
  const width = featureStatuses.length + 2
  return join.entries
    .filter(({ kind }) => kind === 'feature')
    .map(({ name, type }, index) => {
      const own = counts.slice(index * width, (index + 1) * width)
      const statuses = Object.fromEntries(
        featureStatuses.map((status, place) => [status, own[place] ?? 0]),
      ) as Record<FeatureStatus, number>
      return { name, type, statuses, defaulted: own[width - 2] ?? 0, violated: own[width - 1] ?? 0 }
    })
}

async function summarize(
  connection: DuckDBConnection,
  join: FileJoin,
  rows: number,
): Promise<readonly ColumnSummary[]> {
  const summaries: ColumnSummary[] = []
  // Column by column: the quantiles hold one in memory.
  for (const { name, column, number } of summarizedColumns(join))
    summaries.push(await summarizeColumn(connection, name, { table: 'answers', rows, column, number }))
  return summaries
}

async function numbers(connection: DuckDBConnection, sql: string): Promise<readonly (number | null)[]> {
  const reader = await connection.runAndReadAll(sql)
  return (reader.getRows()[0] ?? []).map((value) => (value === null ? null : Number(value)))
}

async function firstUnmet(
  connection: DuckDBConnection,
  spine: JoinedSpine,
  conditions: readonly string[],
): Promise<string | null> {
  if (conditions.length === 0) return null
  const reader = await connection.runAndReadAll(
    `select 1 from ${spineRelation(spine)} where not (${conditions.join(' and ')}) limit 1`,
  )
  return reader.currentRowCount === 0 ? null : 'a value is out of its range'
}

/** A damaged file, a full disk and what stands in the file's place are the caller's; the rest is not. */
function asRefusal(error: unknown, out: string): unknown {
  if (error instanceof BadUserInput || error instanceof TypeError) return error
  const message = messageOf(error)
  if (/no space left|could not write/i.test(message) || /^E[A-Z]+$/.test(errorCode(error)))
    return new BadUserInput(`${out} cannot be written: ${firstLineOf(error)}; nothing of it was left`)
  if (
    /failed to read file|decompression|No files found|Cannot open file|IO Error|Invalid Input/i.test(message)
  )
    return new BadUserInput(`files cannot be read: ${firstLineOf(error)}; nothing was written`)
  return error
}
