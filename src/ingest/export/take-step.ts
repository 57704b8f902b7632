import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { ExportFolder, PartFiles, PartWriter } from '../../stores/export-files.ts'
import { dayColumn, type ExportReading, exportColumns } from '../../stores/rows-to-export.ts'
import { dayFolder, dayOf } from './day.ts'
import type { ExportRequest } from './export-request.ts'
import { type ExportStep, type Manifest, writeManifest } from './manifest.ts'

/** Rows of a part; a larger day has several. */
const rowsOfPart = 1_000_000

interface StepSources {
  readonly partFiles: PartFiles
  readonly folder: ExportFolder
  readonly reading: ExportReading
  readonly request: Pick<ExportRequest, 'subject'>
}

type Part = Manifest['parts'][number]

/**
 * The step's rows as parts, which come into the folder once all of them are written, and then into the manifest: what it does
 * not have is nobody's. Resolves with the manifest that was written.
 */
export async function takeStep(
  sources: StepSources,
  manifest: Manifest,
  step: ExportStep,
): Promise<Manifest> {
  const { folder } = sources
  const staged = await stageParts(sources, step)
  for (const { file, local } of staged) await folder.publish(local, file)
  const [first, last] = [dayOf(step.from ?? 0), dayOf((step.to ?? 0) - 1)]
  const isReplaced = ({ day }: Part): boolean => step.isReplacing && day >= first && day <= last
  const added = staged.map(({ file, day, rows, bytes }) => ({ file, day, rows, bytes }))
  const next = {
    ...manifest,
    begun: manifest.begun && { ...manifest.begun, steps: manifest.begun.steps.slice(1) },
    parts: [...manifest.parts.filter((part) => !isReplaced(part)), ...added],
  }
  await writeManifest(folder, next)
  await folder.remove(manifest.parts.filter(isReplaced).map(({ file }) => file))
  return next
}

async function stageParts(
  { partFiles, folder, reading, request }: StepSources,
  step: ExportStep,
): Promise<readonly (Part & { readonly local: string })[]> {
  const columns = exportColumns(request.subject)
  const timePlace = columns.findIndex(({ name }) => name === dayColumn[request.subject.kind])
  const staging = await folder.stage()
  const name = randomUUID().slice(0, 8)
  const staged: (Part & { readonly local: string })[] = []
  const writer = await partFiles.writer(columns, staging)

  async function endPart(day: number): Promise<void> {
    if (writer.pending() === 0) return
    const place = `part-${name}-${staged.length}.parquet`
    const local = join(staging, place)
    staged.push({ ...(await writer.write(local)), day, file: `${dayFolder(day, columns)}/${place}`, local })
  }

  try {
    await fill(writer, endPart)
    return staged
  } finally {
    writer.close()
  }

  async function fill(into: PartWriter, end: typeof endPart): Promise<void> {
    let day = 0
    for await (const batch of reading.rows(step)) {
      for (const row of batch) {
        const own = dayOf(Number(row[timePlace]))
        if (own !== day || into.pending() >= rowsOfPart) await end(day)
        day = own
        into.add(row)
      }
    }
    await end(day)
  }
}
