import type { Clock } from '../../definitions/timestamp.ts'
import type { FileFormat, FileStore } from '../../stores/file-reader.ts'
import { type ImportCounts, type ImportStore, isImportedInChunks } from '../../stores/import-store.ts'
import type { RunStore } from '../../stores/run-store.ts'
import type { ViolationStore } from '../../stores/violation-store.ts'
import { formatOf } from './file-format.ts'
import type { FirstReason } from './first-reasons.ts'
import { importInto } from './import-into.ts'
import type { ImportTarget } from './import-target.ts'
import type { QuarantineLimit } from './quarantine-limit.ts'
import type { QuarantineKind } from './read-columns.ts'

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
  /** Of the rows of a file; past it nothing of the file is stored. */
  readonly maxQuarantined: QuarantineLimit
  /** Null: by the file's name. */
  readonly format: FileFormat | null
  /** Times without an offset are UTC where the source has no timezone. */
  readonly assumeUtc: boolean
  /** Another import of the source is under way and is waited for. */
  readonly onWait: () => void
  /** `done` from 0 to 1, of the file. */
  /** What is stored and may not be meant so, once a file. */
  readonly onWarning: (message: string) => void
  readonly onProgress: (target: string, rows: number, done: number) => void
}

/** What became of a file's rows in one table. */
export interface ImportedFile extends ImportCounts {
  /** The event source's or the view's name. */
  readonly target: string
  readonly status: 'IMPORTED' | 'ALREADY_IMPORTED'
  readonly quarantined: Readonly<Partial<Record<QuarantineKind, number>>>
  readonly rejected: number
  /** Why rows were quarantined or rejected. */
  readonly reasons: readonly FirstReason[]
  /** Of entities that were deleted at their event timestamp or later: nothing of them is stored. */
  readonly deleted: number
  /** Of expectations, whatever they did with the row. */
  readonly violations: number
}

/**
 * One file into the tables of a source, each in a transaction of its own with the receipt of the file's bytes: the same
 * bytes again, under whatever name, add nothing until the source's definition changes, and a process that ends anywhere
 * leaves nothing. Events with ids are stored chunk by chunk: a process that ends leaves whole chunks, and the same file again
 * goes on behind them. A file that goes by chunks, or into several tables, is read to its end and checked first: one that is
 * refused leaves nothing. Recorded as a run of the source; one import of a source at a time.
 * @throws BadUserInput for a file that is refused as a whole (format, columns, times without a zone, too many quarantined
 * rows, or the first bad row with `stop`); RowCountRefused; StoreFailed.
 */
export async function importFile(
  stores: ImportStores,
  source: { readonly name: string; readonly targets: readonly ImportTarget[] },
  file: string,
  options: ImportOptions,
): Promise<readonly ImportedFile[]> {
  const format = options.format ?? formatOf(file)
  const shown = new Set<string>()
  const warnOnce = (message: string): void => {
    if (!shown.has(message)) options.onWarning(message)
    shown.add(message)
  }
  const work = async (
    isWritten: boolean,
    onProgress = options.onProgress,
  ): Promise<readonly ImportedFile[]> => {
    const digest = await stores.files.digest(file)
    const imported: ImportedFile[] = []
    const heard = { ...options, onProgress, onWarning: warnOnce }
    for (const target of source.targets)
      imported.push(await importInto(stores, target, { file, format, digest }, heard, isWritten))
    return imported
  }
  if (options.dryRun) return await work(false)
  const subject = { kind: 'IMPORT', view: source.name, asOf: null } as const
  return await stores.runs.withRun(subject, { now: stores.clock, onWait: options.onWait }, async () => {
    const isLeft = source.targets.length > 1 || source.targets.some(({ table }) => isImportedInChunks(table))
    if (isLeft) await work(false, () => {})
    const result = await work(true)
    const rowsRead = result.reduce((sum, { read }) => sum + read, 0)
    const rowsWritten = result.reduce((sum, { stored }) => sum + stored, 0)
    return { result, outcome: { state: 'SUCCEEDED', rowsRead, rowsWritten, error: null } }
  })
}
