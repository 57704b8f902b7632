import type { Clock, Micros } from '../../definitions/timestamp.ts'
import type { ExportFolder, OpenExportFolder, PartFiles } from '../../stores/export-files.ts'
import type { LaterChanges } from '../../stores/later-changes.ts'
import {
  type ExportReading,
  type ExportSubject,
  knowsArrivals,
  type RowsToExport,
} from '../../stores/rows-to-export.ts'
import type { RunStore } from '../../stores/run-store.ts'
import { checkManifest } from './check-manifest.ts'
import { type ExportRequest, subjectId } from './export-request.ts'
import { type Manifest, readManifest, successFile, writeManifest } from './manifest.ts'
import { planExport } from './plan-export.ts'
import { refuseFullDisk } from './refuse-full-disk.ts'
import { takeStep } from './take-step.ts'

export interface ExportStores {
  readonly rowsToExport: RowsToExport
  readonly partFiles: PartFiles
  readonly openFolder: OpenExportFolder
  readonly changes: LaterChanges
  readonly runs: RunStore
  readonly clock: Clock
}

export interface Exported {
  /** Everything up to then is in the folder. */
  readonly takenAt: Micros
  /** Of this run. */
  readonly rows: number
  /** In the folder now. */
  readonly parts: readonly { readonly day: number; readonly rows: number; readonly bytes: number }[]
}

/**
 * A subject's rows as Parquet files by day: all of them at first, later what has arrived since, and anew the days of which
 * something was deleted. The folder's manifest is written with every few million rows, so that a run that is killed goes on
 * there; `_SUCCESS` is gone while a run changes something. One run of a subject at a time; recorded as a run.
 * @throws BadUserInput, OtherDatabase, OtherDefinitions for a folder that holds something else; StorageFull; StoreFailed.
 */
export async function exportSubject(stores: ExportStores, request: ExportRequest): Promise<Exported> {
  const subject = { kind: 'EXPORT', view: subjectId(request.subject), asOf: null } as const
  const options = { now: stores.clock, onWait: request.onWait }
  return await stores.runs.withRun(subject, options, async (progress) => {
    const folder = stores.openFolder(request.path)
    try {
      const result = await exportInto(folder, stores, request, progress)
      const { rows } = result
      return { result, outcome: { state: 'SUCCEEDED', rowsRead: rows, rowsWritten: rows, error: null } }
    } catch (error) {
      return refuseFullDisk(request.path, error)
    } finally {
      await folder.close()
    }
  })
}

async function exportInto(
  folder: ExportFolder,
  stores: ExportStores,
  request: ExportRequest,
  onRows: (rows: number) => void,
): Promise<Exported> {
  const found = await readManifest(folder)
  let manifest = await checkManifest(found, folder.path, stores.changes, request)
  let rows = 0

  async function finish(reading: ExportReading, planned: Manifest): Promise<Manifest> {
    let left = planned
    const total = planned.begun?.steps.reduce((sum, step) => sum + step.rows, 0) ?? 0
    for (let step = left.begun?.steps[0]; step !== undefined; step = left.begun?.steps[0]) {
      left = await takeStep({ ...stores, folder, reading, request }, left, step)
      rows += step.rows
      onRows(rows)
      request.onProgress(total === 0 ? 1 : rows / total, rows)
    }
    const { begun } = left
    const done =
      begun === null
        ? left
        : { ...left, point: { visible: begun.visible, takenAt: begun.takenAt }, begun: null }
    await writeManifest(folder, done)
    return done
  }

  // What a killed run had left, as of its own snapshot; what has changed since is the next one's.
  if (!knowsArrivals(request.subject)) manifest = { ...manifest, begun: null }
  if (manifest.begun !== null) {
    const { visible } = manifest.begun
    manifest = await withReading(stores, request.subject, visible, async (reading) => {
      await folder.remove([successFile])
      return await finish(reading, manifest)
    })
  }
  manifest = await withReading(stores, request.subject, null, async (reading) => {
    const planned = await planExport({ ...stores, folder, reading, request }, manifest)
    const isChanged = (planned.begun?.steps.length ?? 0) > 0 || planned.parts.length !== manifest.parts.length
    if (isChanged) await folder.remove([successFile])
    await writeManifest(folder, planned)
    await sweep(folder, planned)
    return await finish(reading, planned)
  })
  await sweep(folder, manifest)
  await folder.write(successFile, '')
  const takenAt = manifest.point?.takenAt ?? 0
  return { takenAt, rows, parts: manifest.parts }
}

async function withReading<Result>(
  { rowsToExport }: ExportStores,
  subject: ExportSubject,
  visibleIn: string | null,
  work: (reading: ExportReading) => Promise<Result>,
): Promise<Result> {
  const reading = await rowsToExport.open(subject, visibleIn)
  try {
    return await work(reading)
  } finally {
    await reading.close()
  }
}

/** Files of parts that the manifest does not have: replaced ones, and those of a run that was killed before it had them in. */
async function sweep(folder: ExportFolder, { parts }: Manifest): Promise<void> {
  const known = new Set(parts.map(({ file }) => file))
  const files = await folder.list()
  await folder.remove(files.filter((file) => isPart(file) && !known.has(file)))
}

function isPart(file: string): boolean {
  return /^_?day=[^/]+\/part-[^/]+\.parquet$/.test(file)
}
