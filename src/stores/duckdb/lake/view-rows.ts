import type { ValueType } from '../../../definitions/value-type.ts'
import type { Problem } from '../../../errors.ts'
import type { ParquetOfflineView } from '../../offline-view.ts'
import { quoteName } from '../sql-text.ts'
import { type FileColumns, fileList } from './file-columns.ts'
import { partitionValues } from './file-times.ts'
import type { LakeFile } from './lake-files.ts'
import { type MappedValue, mappedTime, mappedValue, missingValue } from './mapped-value.ts'
import { UnfitFiles } from './unfit-files.ts'

/** What rows are read from: files of the same columns, or a Delta table. */
export interface FileGroup {
  /** What follows FROM. */
  readonly from: string
  /** For messages: the first file. */
  readonly path: string
  readonly columns: FileColumns
}

/** Files under each other where their columns, and the partition columns in their paths, are the same. */
export function groupFiles(
  files: readonly LakeFile[],
  columnsOf: readonly FileColumns[],
): readonly FileGroup[] {
  const groups = new Map<FileColumns, Map<string, LakeFile[]>>()
  files.forEach((file, index) => {
    const columns = columnsOf[index]
    if (!columns) return
    const byPartitions = groups.get(columns) ?? new Map<string, LakeFile[]>()
    groups.set(columns, byPartitions)
    const partitions = JSON.stringify([...partitionValues(file.path).keys()])
    const group = byPartitions.get(partitions)
    if (group) group.push(file)
    else byPartitions.set(partitions, [file])
  })
  return [...groups].flatMap(([columns, byPartitions]) =>
    [...byPartitions.values()].map((group) => fileGroup(group, columns)),
  )
}

function fileGroup(files: readonly LakeFile[], columns: FileColumns): FileGroup {
  const path = files[0]?.path ?? ''
  const inPath = [...partitionValues(path).keys()].filter((name) => !columns.types.has(name))
  const options =
    inPath.length === 0
      ? 'hive_partitioning = false'
      : 'hive_partitioning = true, hive_types_autocast = false'
  return {
    from: `read_parquet(${fileList(files)}, ${options})`,
    path,
    columns: {
      types: new Map([...columns.types, ...inPath.map((name) => [name, 'VARCHAR'] as const)]),
      int96: columns.int96,
    },
  }
}

/**
 * The rows of a view in these files, as a query of columns `k0`, `k1`, … (join keys), `event` and `created` (instants), `row_id`,
 * `closing`, and `f0`, `f1`, … (features), each of one type whatever a file has; a column that a file lacks is null there. Rows without
 * a whole key or an event timestamp are left out.
 * @throws UnfitFiles naming file, column and both types.
 */
export function viewRowsSql(view: ParquetOfflineView, groups: readonly FileGroup[]): string {
  const problems: Problem[] = []
  const queries = groups.map((group) => groupSql(view, group, problems))
  if (problems.length > 0) throw new UnfitFiles(problems)
  return queries.length === 0 ? noRowsSql(view) : queries.join('\nunion all\n')
}

/** What is wrong with the columns of these files; none where they can be read. */
export function columnProblems(view: ParquetOfflineView, groups: readonly FileGroup[]): readonly Problem[] {
  const problems: Problem[] = []
  for (const group of groups) groupSql(view, group, problems)
  return problems
}

interface ReadColumn {
  readonly as: string
  readonly meaning: string
  readonly name: string
  /** Null: a file without it has nulls. */
  readonly missing: string | null
  readonly read: (stored: {
    readonly column: string
    readonly stored: string
    readonly isInt96: boolean
  }) => MappedValue
}

const instant = 'TIMESTAMP WITH TIME ZONE'

function readColumns({ entity, features, source }: ParquetOfflineView): readonly ReadColumn[] {
  const timezone = source.timezone ?? null
  const column = (name: string): string => source.columns[name] ?? name
  const valueColumn = (as: string, meaning: string, name: string, type: ValueType, isNeeded: boolean) => ({
    ...{ as, name: column(name), meaning: `${meaning} "${name}" (${type})` },
    missing: isNeeded ? null : missingValue(type),
    read: (stored: Parameters<ReadColumn['read']>[0]) => mappedValue(type, { ...stored, timezone }),
  })
  const timeColumn = (as: string, meaning: string, name: string) => ({
    ...{ as, name, meaning, missing: null },
    read: (stored: Parameters<ReadColumn['read']>[0]) => mappedTime({ ...stored, timezone }),
  })
  const nothing = (as: string, type: string): ReadColumn => ({
    ...{ as, name: '', meaning: '', missing: `null::${type}` },
    read: () => ({ expression: `null::${type}` }),
  })
  return [
    ...entity.joinKeys.map(({ name, type }, index) => valueColumn(`k${index}`, 'join key', name, type, true)),
    timeColumn('event', 'the event timestamp', source.eventTimestamp),
    source.createdTimestamp === undefined
      ? nothing('created', instant)
      : timeColumn('created', 'the created timestamp', source.createdTimestamp),
    source.rowId === undefined
      ? nothing('row_id', 'BIGINT')
      : {
          ...{ as: 'row_id', name: source.rowId, meaning: 'the row id (int64)', missing: null },
          read: (stored) => mappedValue('int64', { ...stored, timezone }),
        },
    source.closing === undefined
      ? { ...nothing('closing', 'BOOLEAN'), missing: 'false' }
      : {
          ...{
            as: 'closing',
            name: source.closing,
            meaning: 'what marks closing rows (bool)',
            missing: 'false',
          },
          read: (stored) => withDefault(mappedValue('bool', { ...stored, timezone })),
        },
    ...features.map(({ name, type }, index) => valueColumn(`f${index}`, 'feature', name, type, false)),
  ]
}

function withDefault(value: MappedValue): MappedValue {
  return 'needed' in value ? value : { expression: `coalesce(${value.expression}, false)` }
}

function groupSql(view: ParquetOfflineView, { from, path, columns }: FileGroup, problems: Problem[]): string {
  const outputs = readColumns(view).map(({ as, name, meaning, missing, read }) => {
    const stored = columns.types.get(name)
    if (stored === undefined) {
      if (missing === null)
        problems.push({
          path,
          message: `${meaning} is read from column "${name}", which is not there; it has ${[...columns.types.keys()].join(', ')}`,
        })
      return `${missing} as ${as}`
    }
    const column = quoteName(name)
    const found = read({ column, stored, isInt96: columns.int96.has(name) })
    if ('expression' in found) return `${found.expression} as ${as}`
    problems.push({ path, message: `${meaning} needs ${found.needed}; column "${name}" has ${stored}` })
    return `null as ${as}`
  })
  const there = [...view.entity.joinKeys.map((_, index) => `k${index} is not null`), 'isfinite(event)']
  return `select * from (select ${outputs.join(', ')} from ${from}) where ${there.join(' and ')}`
}

function noRowsSql(view: ParquetOfflineView): string {
  const outputs = [
    ...view.entity.joinKeys.map(({ type }, index) => `${missingValue(type)} as k${index}`),
    `null::${instant} as event`,
    `null::${instant} as created`,
    'null::BIGINT as row_id',
    'false as closing',
    ...view.features.map(({ type }, index) => `${missingValue(type)} as f${index}`),
  ]
  return `select ${outputs.join(', ')} where false`
}

/** Of rows of one event timestamp, the newest first; without row ids by what they hold, so that every reading agrees. */
export function newestOfTime(view: ParquetOfflineView): string {
  const contents = view.features.map((_, index) => `f${index}`)
  const last = view.source.rowId === undefined ? `row(${contents.join(', ')}) desc` : 'row_id desc nulls last'
  return `created desc nulls last, ${last}`
}
