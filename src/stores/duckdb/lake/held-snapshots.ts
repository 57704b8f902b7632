import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api'
import type { Micros } from '../../../definitions/timestamp.ts'
import type { Value } from '../../../definitions/value.ts'
import { BadUserInput, type Problem, StoreFailed } from '../../../errors.ts'
import type { ExportFolder } from '../../export-files.ts'
import type { HeldSnapshots, HeldSummary } from '../../held-snapshots.ts'
import type { BatchOfflineView, ParquetOfflineView } from '../../offline-view.ts'
import { firstLineOf } from '../duckdb-files.ts'
import { fileProblems } from './check-files.ts'
import { fileColumnsReader } from './file-columns.ts'
import type { Fileset } from './fileset.ts'
import { fingerprint, type LakeFile, listFiles } from './lake-files.ts'
import { type LakeInstanceOptions, lakeInstance } from './lake-instance.ts'
import { comparedKey } from './lake-sql.ts'
import { fromDuckDb } from './mapped-value.ts'
import { type LakeReader, openReading, readFiles } from './read-files.ts'
import { type FileGroup, newestOfTime } from './view-rows.ts'

/** Table of the connection that the rows are handed over from, once all files are read. */
const heldTable = 'held_rows'

/** By a DuckDB of its own, opened with the first reading. */
export function duckDbHeldSnapshots(options: LakeInstanceOptions): HeldSnapshots {
  const { instanceFor, close } = lakeInstance(options)
  const reader: LakeReader = { instanceFor, columns: fileColumnsReader() }
  return {
    async summary(folder, batchView) {
      if (await isEmpty(folder)) return { times: [], newestCreated: null, greatestRowId: null }
      const view = viewOfFolder(batchView, folder.path)
      const refuse = (problems: readonly Problem[]): void => {
        if (problems.length === 0) return
        const listed = problems.map((one) => `${one.path}: ${one.message}`).join('; ')
        throw new BadUserInput(
          `${folder.path} is no folder of snapshots of feature view "${view.name}", and none can be added: ${listed}; name another folder`,
        )
      }
      refuse(await fileProblems(reader, view))
      const { summary, lacking } = await readFiles(reader, view, {
        ...{ doing: 'reading which snapshots there are', signal: null },
        read: async (connection, fileset) => ({
          lacking: lackingFeatures(view, await fileset.groups(fileset.files.length)),
          summary: await summarize(connection, fileset),
        }),
      })
      refuse(lacking)
      return summary
    },
    async open(folder, batchView, times) {
      const { path } = folder
      if (await isEmpty(folder)) return { ...noRows, isUnchanged: () => isEmpty(folder) }
      const view = viewOfFolder(batchView, path)
      const { connection, files } = await openReading(reader, view, {
        ...{ doing: 'reading the snapshots that are there', signal: null },
        async read(own, fileset) {
          const rowsSql = await fileset.rowsSql(() => true)
          await own.run(heldRowsSql(view, rowsSql, times))
        },
      })
      return {
        rows: handOver(connection, view),
        isUnchanged: async () => areSame(files, await listFiles(connection, path)),
        close: () => connection.disconnectSync(),
      }
    },
    close,
  }
}

const noRows = { rows: (async function* () {})(), close: () => {} }

/** Every key of a run closed before it had a row. */
async function isEmpty(folder: ExportFolder): Promise<boolean> {
  return !(await folder.list()).some((file) => file.endsWith('.parquet') && !/(?:^|\/)[_.]/.test(file))
}

/** A view's files may lack a feature, which is null there; of snapshots that would be another definition's. */
function lackingFeatures({ features }: ParquetOfflineView, groups: readonly FileGroup[]): readonly Problem[] {
  return groups.flatMap(({ path, columns }) =>
    features
      .filter(({ name }) => !columns.types.has(name))
      .map(({ name, type }) => ({ path, message: `the column "${name}" of a feature (${type}) is missing` })),
  )
}

async function summarize(connection: DuckDBConnection, fileset: Fileset): Promise<HeldSummary> {
  const rowsSql = await fileset.rowsSql(() => true)
  const found = await connection.runAndReadAll(
    `select epoch_us(event), epoch_us(max(created) filter (where isfinite(created))), max(row_id)::DOUBLE
from (${rowsSql}) group by event order by event`,
  )
  const rows = found.getRows()
  return {
    times: rows.map(([event]) => Number(event)),
    newestCreated: greatest(rows.map(([, created]) => created)),
    greatestRowId: greatest(rows.map(([, , rowId]) => rowId)),
  }
}

function greatest(values: readonly (DuckDBValue | undefined)[]): number | null {
  const numbers = values.flatMap((value) => (value === null || value === undefined ? [] : [Number(value)]))
  return numbers.length === 0 ? null : numbers.reduce((most, one) => Math.max(most, one))
}

/** The folder as a `parquetSource` reads it. */
function viewOfFolder({ id, name, entity, features }: BatchOfflineView, path: string): ParquetOfflineView {
  return {
    ...{ kind: 'PLAIN', id, name, entity, features },
    source: {
      ...{ kind: 'parquet', format: 'parquet', name, path },
      ...{ eventTimestamp: 'event_timestamp', createdTimestamp: 'created_timestamp', rowId: 'row_id' },
      ...{ closing: 'closing', columns: {}, empty: {}, partitions: {} },
    },
  }
}

/**
 * Columns: the join keys, the event timestamp, the features, whether it closes, the created timestamp, whether it was pushed,
 * which none was.
 */
export function heldRowsSql(view: ParquetOfflineView, rowsSql: string, times: readonly Micros[]): string {
  const keys = view.entity.joinKeys.map((_, index) => comparedKey(view, index, 'x'))
  const named = keys.map((_, index) => `k${index}`)
  const features = view.features.map((_, index) => `f${index}`)
  const newest = newestOfTime(view)
  const from = `make_timestamptz(${times[0] ?? 0})`
  const until = `make_timestamptz(${times.at(-1) ?? 0})`
  const columns = [...named, 'event', ...features, 'closing', 'created', 'row_id']
  return `create or replace temp table ${heldTable} as
with rows_read as (
${rowsSql}
), x as (
  select ${[...keys.map((key, index) => `${key} as k${index}`), ...columns.slice(keys.length)].join(', ')}
  from rows_read as x where event <= ${until}
), held as (
  (select ${columns.join(', ')} from x where event >= ${from}
    qualify row_number() over (partition by ${named.join(', ')}, event order by ${newest}) = 1)
  union all
  (select ${columns.join(', ')} from x where event < ${from}
    qualify row_number() over (partition by ${named.join(', ')} order by event desc, ${newest}) = 1)
)
select ${named.join(', ')}, epoch_us(event) as event, ${features.join(', ')}, closing,
  case when isfinite(created) then epoch_us(created) end as created
from held order by ${[...named, 'held.event desc'].join(', ')}`
}

async function* handOver(
  connection: DuckDBConnection,
  view: ParquetOfflineView,
): AsyncGenerator<readonly (readonly (Value | null)[])[]> {
  const { entity, features, name } = view
  const failed = (error: unknown): never => {
    throw new StoreFailed(`DuckDB failed at reading the snapshots of ${name}: ${firstLineOf(error)}`, {
      cause: error,
    })
  }
  const types = [
    ...entity.joinKeys.map(({ type }) => type),
    'timestamp' as const,
    ...features.map(({ type }) => type),
    ...(['bool', 'timestamp'] as const),
  ]
  const result = await connection.stream(`from ${heldTable}`).catch(failed)
  for (;;) {
    const chunk = await result.fetchChunk().catch(failed)
    if (chunk === null || chunk.rowCount === 0) return
    yield chunk
      .getRows()
      .map((columns) => [
        ...types.map((type, index) => fromDuckDb(type, columns[index] ?? null, () => {})),
        false,
      ])
  }
}

function areSame(before: readonly LakeFile[], now: readonly LakeFile[]): boolean {
  const known = new Set(before.map(fingerprint))
  return now.length === before.length && now.every((file) => known.has(fingerprint(file)))
}
