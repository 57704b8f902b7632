import { importDigest } from '../../definitions/import-digest.ts'
import { type FromLocalTime, fromLocalTime } from '../../definitions/local-time.ts'
import { BadUserInput, RowCountRefused } from '../../errors.ts'
import { brokenRowCount } from '../../quality/row-count.ts'
import type { FileFormat } from '../../stores/file-reader.ts'
import type { ImportState, RowSink } from '../../stores/import-store.ts'
import type { Violation } from '../../stores/violation-store.ts'
import { checkColumns } from './check-columns.ts'
import { collectReasons, reasonLines } from './first-reasons.ts'
import type { ImportedFile, ImportOptions, ImportStores } from './import-file.ts'
import type { ImportTarget } from './import-target.ts'
import { type JudgedBatch, rowJudge } from './judge-rows.ts'
import { markWarning } from './null-marks.ts'
import { partitionColumns, partitionedDigest, withPartitions } from './partition-columns.ts'
import { describeLimit, isPastLimit } from './quarantine-limit.ts'
import { type QuarantineKind, wantedColumns } from './read-columns.ts'

interface DigestedFile {
  readonly file: string
  readonly format: FileFormat
  readonly digest: string
}

/** What a dry run or a check writes into; it does not ask for deletions. */
const noSink: RowSink = { deletedRows: async () => new Set(), write: async () => {} }

/** A file into one table, or only the check of it. See `importFile`. */
export async function importInto(
  stores: ImportStores,
  target: ImportTarget,
  { file, format, digest: ofBytes }: DigestedFile,
  options: ImportOptions,
  isWritten: boolean,
): Promise<ImportedFile> {
  const already = { target: target.name, status: 'ALREADY_IMPORTED', ...noCounts() } as const
  const definition = importDigest({ ...target, rowCount: target.view?.rowCount ?? null })
  const partitions = partitionColumns(file)
  const stateOf = (digest: string): Promise<ImportState> =>
    stores.imports.stateOf(target.table, digest, definition)
  // Opening takes longer than this.
  if (partitions.size === 0 && (await stateOf(ofBytes)).status === 'IMPORTED') return already
  const opened = withPartitions(await stores.files.open(file, format), partitions)
  let refused: readonly Violation[] = []
  try {
    const digest = partitionedDigest(ofBytes, partitions, opened, wantedColumns(target))
    const state = await stateOf(digest)
    if (state.status === 'IMPORTED') return already
    const now = await stores.imports.now()
    checkColumns(target, file, opened)
    const fromLocal = localTimeOf(target, file, options)
    const isLocal = ({ column, type }: { readonly column: string; readonly type: string | null }): boolean =>
      type !== null && opened.timeColumns.get(column) === 'LOCAL'
    if (wantedColumns(target).some(isLocal)) fromLocal(0)
    const warned = new Set<string>()
    const judgeBatch = rowJudge(target, {
      ...{ file, opened, now, fromLocalTime: fromLocal },
      fromDate: fromLocalTime(target.timezone ?? 'UTC'),
      onUsualMark(name, mark, rowNumber) {
        if (warned.has(name)) return
        warned.add(name)
        options.onWarning(`${file}: ${markWarning(name, mark, rowNumber)}`)
      },
    })
    const storedRows = await stores.imports.storedRows(target.table, digest, state.earlier)
    const copy = async (sink: RowSink): Promise<ImportedFile> => {
      const counts = noCounts()
      const reasons = collectReasons()
      const refuseTooMany = (): void => {
        const quarantined = Object.values(counts.quarantined).reduce((sum, rows) => sum + rows, 0)
        if (!isPastLimit(options.maxQuarantined, quarantined, counts.read)) return
        const limit = describeLimit(options.maxQuarantined)
        throw new BadUserInput(
          `${file}: ${target.name}: ${quarantined} of ${counts.read} rows read would be quarantined, more than ${limit}; nothing of the file was imported. Change the file or its source's definition, or allow more by --max-quarantined. The first reasons:${reasonLines(reasons.first())}`,
        )
      }
      for await (const batch of opened.read(wantedColumns(target))) {
        const offered = judgeBatch(batch)
        const deleted = await sink.deletedRows(offered.rows)
        const allowed = deleted.size === 0 ? offered : without(offered, deleted)
        const stored = await storedRows(allowed.rows)
        const judged = stored.size === 0 ? allowed : without(allowed, stored)
        if (options.onError === 'stop') refuseBadRow(file, judged)
        await sink.write(judged.rows, judged.quarantined, judged.violations)
        reasons.add(judged)
        counts.deleted += deleted.size
        counts.storedBefore += stored.size
        counts.read += judged.rows.rowNumbers.length
        counts.stored += judged.rows.kept.length
        counts.rejected += judged.rejectedRows.length
        counts.violations += judged.violations.length
        for (const { kind } of judged.quarantined)
          counts.quarantined[kind] = (counts.quarantined[kind] ?? 0) + 1
        options.onProgress(target.name, counts.read, batch.done)
        // A share is known at the end.
        if (options.maxQuarantined.kind === 'COUNT') refuseTooMany()
      }
      refuseTooMany()
      const broken = target.view === null ? [] : brokenRowCount(target.view, counts.stored, null, now)
      if (broken.some(({ action }) => action !== 'warn')) {
        refused = broken
        const message = broken.map((one) => one.message).join('; ')
        throw new RowCountRefused(`${file}: ${target.name}: ${message}; nothing of the file was imported`)
      }
      if (broken.length > 0) await sink.write(noRows, [], broken)
      const violations = counts.violations + broken.length
      return { target: target.name, status: 'IMPORTED', ...counts, violations, reasons: reasons.first() }
    }
    if (!isWritten) return await copy(noSink)
    const receipt = { digest, file, importedAt: now, definition }
    return (await stores.imports.importFile(target.table, receipt, copy)) ?? already
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
  return {
    read: 0,
    stored: 0,
    storedBefore: 0,
    quarantined,
    rejected: 0,
    deleted: 0,
    violations: 0,
    reasons: [],
  }
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

/** The rows at these places are neither stored nor reported. */
function without(judged: JudgedBatch, places: ReadonlySet<number>): JudgedBatch {
  const { rows, quarantined, violations, violationPlaces } = judged
  const rowNumbers = new Set([...places].map((place) => rows.rowNumbers[place]))
  return {
    ...judged,
    rows: { ...rows, kept: rows.kept.filter((place) => !places.has(place)) },
    quarantined: quarantined.filter(({ rowNumber }) => !rowNumbers.has(rowNumber)),
    violations: violations.filter((_, index) => !places.has(violationPlaces[index] ?? -1)),
    violationPlaces: violationPlaces.filter((place) => !places.has(place)),
  }
}

function refuseBadRow(file: string, { quarantined }: JudgedBatch): void {
  const bad = quarantined.find(({ kind }) => kind !== 'EXPECTATION')
  if (bad)
    throw new BadUserInput(`${file}: row ${bad.rowNumber}: ${bad.reason}; nothing of the file was imported`)
}
