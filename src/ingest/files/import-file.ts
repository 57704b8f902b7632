import { type FromLocalTime, fromLocalTime } from '../../definitions/local-time.ts'
import type { Clock } from '../../definitions/timestamp.ts'
import { BadUserInput, RowCountRefused } from '../../errors.ts'
import { brokenRowCount } from '../../quality/row-count.ts'
import { suggest } from '../../registry/suggest.ts'
import type { FileFormat, FileStore, OpenedFile } from '../../stores/file-reader.ts'
import {
  type ImportCounts,
  type ImportStore,
  isImportedInChunks,
  type RowSink,
} from '../../stores/import-store.ts'
import type { RunStore } from '../../stores/run-store.ts'
import type { Violation, ViolationStore } from '../../stores/violation-store.ts'
import type { ImportTarget } from './import-target.ts'
import { type JudgedBatch, rowJudge } from './judge-rows.ts'
import { type QuarantineKind, wantedColumns } from './read-columns.ts'

export interface ImportStores {
  readonly files: FileStore
  readonly imports: ImportStore
  readonly runs: RunStore
  readonly violations: ViolationStore
  readonly clock: Clock
}

export interface ImportOptions {
  /** Reads and checks everything, writes nothing. */
  readonly dryRun: boolean
  /** Of rows that do not fit: `stop` refuses the whole file at the first. */
  readonly onError: 'stop' | 'quarantine'
  /** Times without an offset are UTC where the source has no timezone. */
  readonly assumeUtc: boolean
  /** Null: they are there. */
  readonly tables: ImportTables | null
  /** Another import of the source is under way and is waited for. */
  readonly onWait: () => void
  /** `done` from 0 to 1, of the file. */
  readonly onProgress: (target: string, rows: number, done: number) => void
}

/** The tables that are written, which may lack columns of the newest definitions. */
export interface ImportTables {
  readonly lackColumns: () => Promise<boolean>
  readonly make: () => Promise<void>
}

/** What became of a file's rows in one table. */
export interface ImportedFile extends ImportCounts {
  /** The event source's or the view's name. */
  readonly target: string
  readonly status: 'IMPORTED' | 'ALREADY_IMPORTED'
  readonly quarantined: Readonly<Partial<Record<QuarantineKind, number>>>
  readonly rejected: number
  /** Of entities that were deleted at their event timestamp or later: nothing of them is stored. */
  readonly deleted: number
  /** Of expectations, whatever they did with the row. */
  readonly violations: number
}

/**
 * One file into the tables of a source, each in a transaction of its own with the receipt of the file's bytes: the same
 * bytes again, under whatever name, add nothing, and a process that ends anywhere leaves nothing. Events with ids are
 * stored chunk by chunk, after the whole file was checked: a process that ends leaves whole chunks, and the same file again
 * goes on behind them. Where tables lack columns
 * the file is read to its end and checked before one is added: a file that is refused adds none. Recorded as a run of the
 * source; one import of a source at a time.
 * @throws BadUserInput for a file that is refused as a whole (format, columns, times without a zone, or the first bad row
 * with `stop`); RowCountRefused; StoreFailed.
 */
export async function importFile(
  stores: ImportStores,
  source: { readonly name: string; readonly targets: readonly ImportTarget[] },
  file: string,
  options: ImportOptions,
): Promise<readonly ImportedFile[]> {
  const format = formatOf(file)
  const work = async (isWritten: boolean): Promise<readonly ImportedFile[]> => {
    const digest = await stores.files.digest(file)
    const imported: ImportedFile[] = []
    for (const target of source.targets)
      imported.push(await importInto(stores, target, { file, format, digest }, options, isWritten))
    return imported
  }
  if (options.dryRun) return await work(false)
  const subject = { kind: 'IMPORT', view: source.name, asOf: null } as const
  return await stores.runs.withRun(subject, { now: stores.clock, onWait: options.onWait }, async () => {
    if (await options.tables?.lackColumns()) await work(false)
    await options.tables?.make()
    const result = await work(true)
    const rowsRead = result.reduce((sum, { read }) => sum + read, 0)
    const rowsWritten = result.reduce((sum, { kept }) => sum + kept, 0)
    return { result, outcome: { state: 'SUCCEEDED', rowsRead, rowsWritten, error: null } }
  })
}

const extensions: Readonly<Record<string, FileFormat>> = {
  parquet: 'parquet',
  csv: 'csv',
  'csv.gz': 'csv',
  ndjson: 'ndjson',
  jsonl: 'ndjson',
  'ndjson.gz': 'ndjson',
  'jsonl.gz': 'ndjson',
}

/** @throws BadUserInput for an extension that says nothing. */
export function formatOf(file: string): FileFormat {
  const lower = file.toLowerCase()
  const found = Object.entries(extensions).find(([extension]) => lower.endsWith(`.${extension}`))
  if (found) return found[1]
  const known = Object.keys(extensions).map((extension) => `.${extension}`)
  throw new BadUserInput(`${file}: its name tells no format; expected one of ${known.join(', ')}`)
}

interface DigestedFile {
  readonly file: string
  readonly format: FileFormat
  readonly digest: string
}

/** What a dry run or a check writes into; it does not ask for deletions. */
const noSink: RowSink = { deletedRows: async () => new Set(), write: async () => {} }

async function importInto(
  stores: ImportStores,
  target: ImportTarget,
  { file, format, digest }: DigestedFile,
  options: ImportOptions,
  isWritten: boolean,
): Promise<ImportedFile> {
  const already = { target: target.name, status: 'ALREADY_IMPORTED', ...noCounts() } as const
  const state = await stores.imports.stateOf(target.table, digest)
  if (state === 'IMPORTED') return already
  const now = await stores.imports.now()
  const opened = await stores.files.open(file, format)
  let refused: readonly Violation[] = []
  try {
    checkColumns(target, file, opened)
    const local = localTimeOf(target, file, options)
    if (wantedColumns(target).some(({ column, type }) => type !== null && opened.localTimes.has(column)))
      local(0)
    const judgeBatch = rowJudge(target, {
      file,
      form: opened.form,
      localTimes: opened.localTimes,
      fromLocalTime: local,
      now,
    })
    const copy = async (sink: RowSink, onProgress = options.onProgress): Promise<ImportedFile> => {
      const counts = noCounts()
      for await (const batch of opened.read(wantedColumns(target))) {
        const offered = judgeBatch(batch)
        const deleted = await sink.deletedRows(offered.rows)
        const judged = deleted.size === 0 ? offered : withoutDeleted(offered, deleted)
        if (options.onError === 'stop') refuseBadRow(file, judged)
        await sink.write(judged.rows, judged.quarantined, judged.violations)
        counts.deleted += deleted.size
        counts.read += judged.rows.rowNumbers.length
        counts.kept += judged.rows.kept.length
        counts.rejected += judged.rejected
        counts.violations += judged.violations.length
        for (const { kind } of judged.quarantined)
          counts.quarantined[kind] = (counts.quarantined[kind] ?? 0) + 1
        onProgress(target.name, counts.read, batch.done)
      }
      const broken = target.view === null ? [] : brokenRowCount(target.view, counts.kept, null, now)
      if (broken.some(({ action }) => action !== 'warn')) {
        refused = broken
        const message = broken.map((one) => one.message).join('; ')
        throw new RowCountRefused(`${file}: ${target.name}: ${message}; nothing of the file was imported`)
      }
      if (broken.length > 0) await sink.write(noRows, [], broken)
      const violations = counts.violations + broken.length
      return { target: target.name, status: 'IMPORTED', ...counts, violations }
    }
    if (!isWritten) return await copy(noSink)
    // Chunks that were stored stay: whether the file is refused must be known before the first.
    if (isImportedInChunks(target.table) && state === 'NEW') await copy(noSink, () => {})
    const receipt = { digest, file, importedAt: now }
    return (await stores.imports.importFile(target.table, receipt, (sink) => copy(sink))) ?? already
  } catch (error) {
    // Rolled back with the rows, were it recorded beside them.
    if (refused.length > 0 && !options.dryRun) await stores.violations.record(refused, [])
    throw error
  } finally {
    await opened.close()
  }
}

const noRows = {
  kept: [],
  rowNumbers: [],
  eventTimestamps: [],
  createdTimestamps: [],
  eventIds: [],
  columns: [],
} as const

function noCounts() {
  const quarantined: Partial<Record<QuarantineKind, number>> = {}
  return { read: 0, kept: 0, quarantined, rejected: 0, deleted: 0, violations: 0 }
}

/** A column that no line of NDJSON seems to have may come later; without times and keys no row can be read. */
function checkColumns(target: ImportTarget, file: string, { columns, columnsAreFixed }: OpenedFile): void {
  // An empty file has no row that lacks anything.
  if (!columnsAreFixed && columns.length === 0) return
  const needed = [
    { column: target.eventTimestamp, meaning: 'the event timestamp', always: true },
    { column: target.createdTimestamp, meaning: 'the created timestamp', always: false },
    { column: target.eventId, meaning: 'the event id', always: false },
    ...target.columns.flatMap(({ name, column, isKey, default: byDefault }) =>
      byDefault === null ? [{ column, meaning: `"${name}"`, always: isKey }] : [],
    ),
  ]
  const problems = needed.flatMap(({ column, meaning, always }) => {
    if (column === null || columns.includes(column) || !(always || columnsAreFixed)) return []
    return [`no column ${JSON.stringify(column)} for ${meaning}; ${suggest(column, columns)}`]
  })
  if (problems.length === 0) return
  const has = columns.map((column) => JSON.stringify(column)).join(', ')
  throw new BadUserInput(`${file}: ${problems.join('\n')}\nthe file has ${has}`)
}

function localTimeOf(target: ImportTarget, file: string, { assumeUtc }: ImportOptions): FromLocalTime {
  const zone = target.timezone ?? (assumeUtc ? 'UTC' : null)
  if (zone !== null) return fromLocalTime(zone)
  return () => {
    throw new BadUserInput(
      `${file}: times without an offset; give the source a timezone, as timezone: 'Europe/Berlin', or import with --assume-utc`,
    )
  }
}

function withoutDeleted(judged: JudgedBatch, deleted: ReadonlySet<number>): JudgedBatch {
  const { rows, quarantined, violations, violationPlaces } = judged
  const rowNumbers = new Set([...deleted].map((place) => rows.rowNumbers[place]))
  return {
    ...judged,
    rows: { ...rows, kept: rows.kept.filter((place) => !deleted.has(place)) },
    quarantined: quarantined.filter(({ rowNumber }) => !rowNumbers.has(rowNumber)),
    violations: violations.filter((_, index) => !deleted.has(violationPlaces[index] ?? -1)),
    violationPlaces: violationPlaces.filter((place) => !deleted.has(place)),
  }
}

function refuseBadRow(file: string, { quarantined }: JudgedBatch): void {
  const bad = quarantined.find(({ kind }) => kind !== 'EXPECTATION')
  if (bad)
    throw new BadUserInput(`${file}: row ${bad.rowNumber}: ${bad.reason}; nothing of the file was imported`)
}
