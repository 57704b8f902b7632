import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { DuckDBConnection } from '@duckdb/node-api'
import type { Micros } from '../../definitions/timestamp.ts'
import { BadUserInput } from '../../errors.ts'
import type { LakeAccess } from '../lake-access.ts'
import type { OpenedSnapshots, SnapshotBatch, SnapshotColumns, SnapshotFiles } from '../snapshot-files.ts'
import { firstLineOf } from './duckdb-files.ts'
import { type ListedPart, listedParts } from './listed-parts.ts'
import { connectDuckDb } from './open-duckdb.ts'
import type { ParquetColumn } from './parquet-column.ts'
import { eventTimestampColumn, snapshotColumns } from './snapshot-columns.ts'
import { parquetOf, readWanted } from './wanted-columns.ts'

interface DuckDbAccess {
  /** Of the sort; what does not fit goes to disk. */
  readonly memoryLimit: string
  readonly lake: LakeAccess
}

/** Rows of computed snapshots in Parquet, sorted by DuckDB. */
export function duckDbSnapshotFiles({ memoryLimit, lake }: DuckDbAccess): SnapshotFiles {
  return {
    async open(folder, columns) {
      const temporary = await mkdtemp(path.join(tmpdir(), 'featuregraph-snapshots-'))
      const removeTemporary = (): Promise<void> => rm(temporary, { recursive: true, force: true })
      const opened = await connectDuckDb({ memoryLimit, temporary, lake, paths: [folder] }).catch(
        async (error: unknown) => {
          await removeTemporary()
          throw error
        },
      )
      const close = async (): Promise<void> => {
        opened.close()
        await removeTemporary()
      }
      try {
        return { ...(await openSnapshots(opened.connection, folder, columns)), close }
      } catch (error) {
        await close()
        throw readable(folder, error)
      }
    },
  }
}

async function openSnapshots(
  connection: DuckDBConnection,
  folder: string,
  columns: SnapshotColumns,
): Promise<Omit<OpenedSnapshots, 'close'>> {
  const { parts: files, isWhole } = await listedParts(connection, folder)
  if (!isWhole)
    throw new BadUserInput(
      `${folder} has no _SUCCESS: what wrote it has not finished, or does not write one; when all of its files are there, put an empty file _SUCCESS into it`,
    )
  if (files.length === 0) return { times: [], read: async function* () {} }
  const found = await readWanted(connection, files, snapshotColumns(columns))
  if (found.problems.length > 0)
    throw new BadUserInput(found.problems.map((problem) => `${folder}: ${problem}`).join('\n'))
  const source = parquetOf(files.map((file) => file.path))
  const time = found.columns[columns.joinKeys.length]?.expression ?? 'null'
  const counted = await connection.runAndReadAll(
    `select ${time} as instant, count(*)::DOUBLE from ${source} group by instant order by instant nulls first`,
  )
  const times = counted
    .getRows()
    .map(([instant, rows]) => ({ asOf: instant === null ? null : Number(instant), rows: Number(rows) }))
  return {
    times,
    read: (asked) => sortedRows(connection, { folder, files, source, columns, found: found.columns }, asked),
  }
}

interface Source {
  readonly folder: string
  readonly files: readonly ListedPart[]
  readonly source: string
  readonly columns: SnapshotColumns
  readonly found: readonly ParquetColumn[]
}

async function* sortedRows(
  connection: DuckDBConnection,
  { folder, files, source, columns: { joinKeys }, found }: Source,
  times: readonly Micros[],
): AsyncGenerator<SnapshotBatch> {
  const at = `"${eventTimestampColumn}"`
  const instants = times.map((time) => `make_timestamptz(${time})`)
  const range = `${at} >= ${instants[0]} and ${at} <= ${instants.at(-1)} and ${at} in (${instants.join(', ')})`
  const order = joinKeys.map(({ name, type }) => {
    const column = `"${name}"`
    if (type === 'uuid') return `lower(${column}::VARCHAR)`
    return type === 'string' ? `${column}::VARCHAR` : `${column}::BIGINT`
  })
  const list = found.map(({ expression }, index) => `${expression} as c${index}`).join(', ')
  try {
    const result = await connection.stream(
      `select ${list} from ${source} where ${range} order by ${[...order, at].join(', ')}`,
    )
    for (let chunk = await result.fetchChunk(); chunk !== null; chunk = await result.fetchChunk()) {
      const { rowCount } = chunk
      if (rowCount === 0) break
      const columns = found.map(({ value }, place) => {
        const vector = chunk?.getColumnVector(place)
        return Array.from({ length: rowCount }, (_, row) => value(vector?.getItem(row) ?? null))
      })
      yield { rows: rowCount, columns }
    }
  } catch (error) {
    // What a file that is gone or cut off says is no help.
    await refuseChanged(connection, folder, files)
    throw readable(folder, error)
  }
  await refuseChanged(connection, folder, files)
}

async function refuseChanged(
  connection: DuckDBConnection,
  folder: string,
  files: readonly ListedPart[],
): Promise<void> {
  const found = await listedParts(connection, folder)
  const now = new Map(found.parts.map((file) => [file.path, file.version]))
  const before = new Set(files.map((file) => file.path))
  const changes = [
    ...files.flatMap(({ path: file, version }) =>
      now.get(file) === version ? [] : [`${file} ${now.has(file) ? 'was written again' : 'is gone'}`],
    ),
    ...[...now.keys()].filter((file) => !before.has(file)).map((file) => `${file} is new`),
  ]
  if (!found.isWhole) changes.unshift('_SUCCESS is gone')
  if (changes.length === 0) return
  const more = changes.length > 3 ? `, and ${changes.length - 3} more` : ''
  throw new BadUserInput(
    `${folder} changed while it was read: ${changes.slice(0, 3).join(', ')}${more}; run it again when nothing writes there`,
  )
}

function readable(folder: string, error: unknown): unknown {
  return error instanceof BadUserInput
    ? error
    : new BadUserInput(`${folder} cannot be read as Parquet: ${firstLineOf(error)}`)
}
