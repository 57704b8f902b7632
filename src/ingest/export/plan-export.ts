import { concernsEntity } from '../../definitions/concerns-entity.ts'
import type { ExportFolder, PartFiles } from '../../stores/export-files.ts'
import type { LaterChanges } from '../../stores/later-changes.ts'
import {
  type ExportRange,
  type ExportReading,
  type ExportSubject,
  knowsArrivals,
} from '../../stores/rows-to-export.ts'
import { dayOf } from './day.ts'
import { type ExportRequest, wantedRange } from './export-request.ts'
import { addedRanges, exportSteps, type FoundDay } from './export-steps.ts'
import type { Manifest } from './manifest.ts'

export interface PlanSources {
  readonly changes: LaterChanges
  readonly partFiles: PartFiles
  readonly folder: ExportFolder
  readonly reading: ExportReading
  readonly request: ExportRequest
}

/** Rows that one commit brings, about: they are sorted by the database, and done again by a run that is killed. */
const rowsOfStep = 2_000_000

/** The manifest with what is to be done begun, and without the parts of days that are no more. */
export async function planExport(sources: PlanSources, manifest: Manifest): Promise<Manifest> {
  const { reading, request, changes } = sources
  const range = wantedRange(request, manifest.point === null ? null : manifest.range)
  const { point } = manifest
  const isCorrected =
    point !== null &&
    request.subject.kind === 'EVENTS' &&
    (await changes.corrected(point.visible, [request.subject.source.name])) > 0
  const isWhole = point === null || isCorrected || !knowsArrivals(request.subject)
  const days = isWhole
    ? await wholeDays(reading, range)
    : await changedDays(sources, manifest, { range, since: point.visible })
  const { visible, takenAt } = reading
  return {
    ...manifest,
    range,
    begun: { visible, takenAt, steps: [...days.steps] },
    parts: manifest.parts.filter(({ day }) => !days.gone(day)),
  }
}

interface PlannedDays {
  readonly steps: readonly ReturnType<typeof exportSteps>[number][]
  /** No rows of the day are left. */
  readonly gone: (day: number) => boolean
}

async function wholeDays(reading: ExportReading, range: ExportRange): Promise<PlannedDays> {
  const found = await reading.days({ ...range, since: null })
  const known = new Set(found.map(({ day }) => day))
  const how = { since: null, isReplacing: true, isApart: false }
  return { steps: exportSteps(found, range, how, rowsOfStep), gone: (day) => !known.has(day) }
}

async function changedDays(
  sources: PlanSources,
  manifest: Manifest,
  { range, since }: { readonly range: ExportRange; readonly since: string },
): Promise<PlannedDays> {
  const { reading } = sources
  const { storedSince } = reading
  const erased = await erasedDays(sources, manifest, since)
  const unlessErased = (found: readonly FoundDay[]): readonly FoundDay[] =>
    found.filter(({ day }) => !erased.has(day))
  const arrived = await reading.days({ ...manifest.range, since })
  const steps = [
    ...exportSteps(
      unlessErased(arrived),
      manifest.range,
      { since, isReplacing: false, isApart: false },
      rowsOfStep,
    ),
  ]
  for (const added of addedRanges(range, manifest.range)) {
    const found = await reading.days({ ...added, since: null })
    const how = { since: null, isReplacing: false, isApart: false }
    steps.push(...exportSteps(unlessErased(found), added, how, rowsOfStep))
  }
  const left: FoundDay[] = []
  for (const day of [...erased].toSorted((one, other) => one - other)) {
    const [step] = exportSteps(
      [{ day, rows: 0 }],
      range,
      { since: null, isReplacing: true, isApart: true },
      1,
    )
    const [found] = step === undefined ? [] : await reading.days({ ...step, since: null })
    if (found !== undefined) left.push(found)
  }
  steps.push(...exportSteps(left, range, { since: null, isReplacing: true, isApart: true }, rowsOfStep))
  const kept = new Set(left.map(({ day }) => day))
  const firstDay = storedSince === null ? Number.NEGATIVE_INFINITY : dayOf(storedSince)
  return { steps, gone: (day) => day < firstDay || (erased.has(day) && !kept.has(day)) }
}

/** Days with rows of entities that were deleted since, whether they are erased yet or not. Reads the keys of every part where there are any. */
async function erasedDays(
  { changes, partFiles, folder, request }: PlanSources,
  { parts }: Manifest,
  since: string,
): Promise<ReadonlySet<number>> {
  const keys = keysOf(request.subject)
  const erased = (await changes.deleted(since)).filter(({ joinKeys }) => concernsEntity(keys, joinKeys))
  const days = new Set<number>()
  for (const { joinKeys, isDeleted } of erased) {
    const columns = joinKeys.map(({ name }) => name)
    for (const { file, day } of parts)
      if (!days.has(day) && (await partFiles.someKey(`${folder.path}/${file}`, columns, isDeleted)))
        days.add(day)
  }
  return days
}

function keysOf(subject: ExportSubject): Parameters<typeof concernsEntity>[0] {
  return subject.kind === 'EVENTS' ? subject.source.fields : subject.view.entity.joinKeys
}
