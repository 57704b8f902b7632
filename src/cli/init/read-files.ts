import path from 'node:path'
import { parseLocalTime } from '../../definitions/local-time.ts'
import { sourceReading } from '../../definitions/source-reading.ts'
import { type ScalarType, type ValueType, valueType } from '../../definitions/value-type.ts'
import { BadUserInput } from '../../errors.ts'
import { readRawValue } from '../../ingest/accept/read-raw-value.ts'
import { Unfit } from '../../ingest/accept/unfit.ts'
import { filesToImport, formatOf } from '../../ingest/files/file-format.ts'
import type { FoundColumn, FoundTable } from '../../init/found-table.ts'
import { guessName, isKeyName, singular } from '../../init/guess-names.ts'
import { arrowFiles } from '../../stores/duckdb/arrow-files.ts'
import { expandPattern } from '../../stores/duckdb/duckdb-files.ts'
import { connectDuckDb } from '../../stores/duckdb/open-duckdb.ts'
import { parquetFiles } from '../../stores/duckdb/parquet-file.ts'
import type { FileStore, OpenedFile } from '../../stores/file-reader.ts'
import { csvFiles } from '../../stores/files/csv-file.ts'
import { jsonFiles } from '../../stores/files/json-file.ts'
import { localFiles } from '../../stores/files/local-files.ts'
import { ndjsonFiles } from '../../stores/files/ndjson-file.ts'

/** A file is known by so many of its first rows. */
const sampledRows = 2_000

/** What pandas writes of a frame's index: row numbers, as a rule. */
const pandasIndex = /^__index_level_\d+__$/

/**
 * One table a pattern, by the first of its files: columns, types and unique columns as far as its first rows say.
 * @throws BadUserInput for a pattern that no file matches, or a file that cannot be read.
 */
export async function readFiles(patterns: readonly string[]): Promise<readonly FoundTable[]> {
  const files = localFiles({
    readers: {
      ...{ parquet: parquetFiles, csv: csvFiles, ndjson: ndjsonFiles, json: jsonFiles },
      arrow: arrowFiles,
    },
    expand: expandPattern,
  })
  const found: FoundTable[] = []
  for (const pattern of patterns) found.push(await readPattern(files, pattern))
  return found
}

async function readPattern(files: FileStore, pattern: string): Promise<FoundTable> {
  const [file = pattern] = filesToImport(pattern, await files.find(pattern), null).files
  const base = path.basename(file).replace(/\.gz$/, '')
  const format = formatOf(file)
  const opened = await files.open(file, format)
  try {
    const stored = format === 'parquet' ? await parquetTypes(file) : new Map<string, string>()
    const sample = await sampleOf(opened)
    const columns: FoundColumn[] = []
    for (const name of opened.columns.filter((column) => !pandasIndex.test(column))) {
      const typed = typeOf(opened, name, stored.get(name) ?? null, sample.get(name) ?? [])
      const repeats = isRepeated(sample.get(name) ?? [])
      columns.push({ ...(await readable(opened, name, typed)), name, description: null, repeats })
    }
    const table = nameOf(base)
    const unique = columns
      .filter(({ name, type }) => type !== null && isIdOf(table, name) && isUnique(sample.get(name) ?? []))
      .map(({ name }) => [name])
    return {
      name: table,
      origin: { kind: 'FILES', files: pattern },
      description: null,
      columns,
      uniqueKeys: unique,
    }
  } finally {
    await opened.close()
  }
}

/** `rides-2026-10.parquet` is of rides. */
function nameOf(base: string): string {
  const bare = guessName(base.slice(0, base.length - path.extname(base).length)).replace(/(?:_?\d+)+$/, '')
  return bare.replace(/_part$/, '') || 'rows'
}

/** A column that may hold the key of its rows, as `order_id`, `order_no` or `order` of orders. */
function isIdOf(table: string, column: string): boolean {
  const name = guessName(column)
  return isKeyName(column) || /_(?:no|nr|number)$/.test(name) || name === singular(table)
}

function isUnique(values: readonly unknown[]): boolean {
  return (
    values.length > 1 &&
    values.every((value) => value !== null) &&
    new Set(values.map(String)).size === values.length
  )
}

function isRepeated(values: readonly unknown[]): boolean {
  const present = values.filter((value) => value !== null)
  return new Set(present.map(String)).size < present.length
}

/** What Parquet says of its columns, by name. */
async function parquetTypes(file: string): Promise<ReadonlyMap<string, string>> {
  const { connection, close } = await connectDuckDb()
  try {
    const literal = file.replace(/[*?[]/g, '[$&]').replaceAll("'", "''")
    const reader = await connection.runAndReadAll(
      `describe select * from read_parquet('${literal}', hive_partitioning = false)`,
    )
    return new Map(reader.getRows().map(([name, type]) => [String(name), String(type)]))
  } finally {
    close()
  }
}

/** Every column's values as text, or as JSON has them; a column that is no scalar has none. */
async function sampleOf(opened: OpenedFile): Promise<ReadonlyMap<string, readonly unknown[]>> {
  const sample = new Map<string, readonly unknown[]>()
  for (const column of opened.columns) {
    const values: unknown[] = []
    try {
      for await (const batch of opened.read([{ column, type: null }])) {
        for (const [index, value] of (batch.columns[0] ?? []).entries())
          if (!batch.malformed.has(index)) values.push(value ?? null)
        if (values.length >= sampledRows) break
      }
    } catch (error) {
      if (!(error instanceof BadUserInput)) throw error
    }
    sample.set(column, values.slice(0, sampledRows))
  }
  return sample
}

type Typed = Pick<FoundColumn, 'type' | 'storedType' | 'isLocalTime'>

const withoutValues = 'a column without values'

/** By what Parquet says, of text and of everything else by the values. */
function typeOf(opened: OpenedFile, name: string, stored: string | null, sample: readonly unknown[]): Typed {
  const values = sample.filter((value) => value !== null)
  const declared = stored === null ? null : storedTypeOf(stored)
  // What pandas writes of a column of None is called an integer.
  if (values.length === 0 && (stored === null || stored === 'INTEGER' || stored === '"NULL"'))
    return { type: null, storedType: withoutValues, isLocalTime: false }
  if (stored !== null && declared !== 'string')
    return { type: declared, storedType: stored, isLocalTime: opened.timeColumns.get(name) === 'LOCAL' }
  const fitting = candidates.find((one) => values.length > 0 && allFit(one, opened, name, values)) ?? null
  const isLocalTime =
    fitting === 'timestamp' && values.some((value) => parseLocalTime(String(value)) !== null)
  const type = declared === null || fitting === 'timestamp' ? fitting : declared
  return { type, storedType: stored ?? 'a column of several types', isLocalTime }
}

/** Not mapped where the reader itself refuses the column as the type. */
async function readable(opened: OpenedFile, column: string, typed: Typed): Promise<Typed> {
  if (typed.type === null) return typed
  try {
    for await (const _ of opened.read([{ column, type: typed.type }])) break
    return typed
  } catch (error) {
    if (error instanceof BadUserInput) return { ...typed, type: null }
    throw error
  }
}

const leadingZero = /^[+-]?0\d/

/** The narrowest first. */
const candidates: readonly ValueType[] = [
  ...(['bool', 'int64', 'float64', 'timestamp', 'string'] as const),
  ...(['int64[]', 'float64[]', 'string[]'] as const),
]

function allFit(type: ValueType, { form }: OpenedFile, name: string, values: readonly unknown[]): boolean {
  const isKey = isKeyName(name)
  const isOneDigit = new Set(values.map(String)).size === 1
  const fromLocalTime = (local: number): number => local
  // Of a Parquet column only text is looked at.
  const read = readRawValue({
    type,
    form: form === 'TYPED' ? 'JSON' : form,
    isKey: false,
    timeColumn: null,
    fromLocalTime,
    fromDate: fromLocalTime,
    reading: sourceReading({}),
  })
  return values.every((value) => {
    // Keys and amounts that happen to be 1 are numbers.
    if (type === 'bool' && (isKey || isOneDigit) && /^\d$/.test(String(value))) return false
    // Digits that would be lost, as of a postcode.
    if (type !== 'string' && leadingZero.test(String(value))) return false
    const outcome = read(value)
    return outcome !== null && !(outcome instanceof Unfit)
  })
}

const storedTypes: readonly (readonly [RegExp, ScalarType])[] = [
  [/^BOOLEAN$/, 'bool'],
  [/^(?:TINYINT|SMALLINT|INTEGER|UTINYINT|USMALLINT)$/, 'int32'],
  [/^(?:UINTEGER|BIGINT)$/, 'int64'],
  [/^FLOAT$/, 'float32'],
  [/^(?:DOUBLE|DECIMAL\(.*\)|UBIGINT|U?HUGEINT)$/, 'float64'],
  [/^(?:VARCHAR|ENUM\(.*\)|JSON)$/s, 'string'],
  [/^(?:TIMESTAMP|DATE$)/, 'timestamp'],
  [/^BLOB$/, 'bytes'],
  [/^UUID$/, 'uuid'],
]

/** A Parquet column's type, as DuckDB prints it → ours; null where none reads it. */
function storedTypeOf(stored: string): ValueType | null {
  const element = /^(.*)\[\d*\]$/s.exec(stored)?.[1]
  const scalar = storedTypes.find(([pattern]) => pattern.test(element ?? stored))?.[1] ?? null
  const found = valueType.safeParse(element === undefined ? scalar : `${scalar}[]`)
  return found.success ? found.data : null
}
