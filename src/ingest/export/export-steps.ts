import type { ExportRange } from '../../stores/rows-to-export.ts'
import { startOfDay } from './day.ts'
import type { ExportStep } from './manifest.ts'

export interface FoundDay {
  readonly day: number
  readonly rows: number
}

export interface StepKind extends Pick<ExportStep, 'since' | 'isReplacing'> {
  /** A step has no day but those that were found: between others there may be rows. */
  readonly isApart: boolean
}

/** Days with rows, in order, as steps of about so many rows, each within the range. */
export function exportSteps(
  days: readonly FoundDay[],
  range: ExportRange,
  { since, isReplacing, isApart }: StepKind,
  rowsOfStep: number,
): readonly ExportStep[] {
  const steps: { first: number; last: number; rows: number }[] = []
  for (const { day, rows } of days) {
    const open = steps.at(-1)
    if (open === undefined || open.rows >= rowsOfStep || (isApart && day !== open.last + 1))
      steps.push({ first: day, last: day, rows })
    else {
      open.last = day
      open.rows += rows
    }
  }
  return steps.map(({ first, last, rows }) => ({
    ...{ since, isReplacing, rows },
    from: Math.max(startOfDay(first), range.from ?? Number.NEGATIVE_INFINITY),
    to: Math.min(startOfDay(last + 1), range.to ?? Number.POSITIVE_INFINITY),
  }))
}

/** What the wider range has beside the one that it includes. */
export function addedRanges(wide: ExportRange, held: ExportRange): readonly ExportRange[] {
  const isEarlier = held.from !== null && (wide.from === null || wide.from < held.from)
  const isLater = held.to !== null && (wide.to === null || wide.to > held.to)
  return [
    ...(isEarlier ? [{ from: wide.from, to: held.from }] : []),
    ...(isLater ? [{ from: held.to, to: wide.to }] : []),
  ]
}
