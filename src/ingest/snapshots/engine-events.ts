import { formatDuration } from '../../definitions/duration.ts'
import { formatTimestamp, type Micros } from '../../definitions/timestamp.ts'
import { BadUserInput } from '../../errors.ts'
import type { BatchView, EventField, EventSource } from '../../registry/registry.ts'
import type { EventForm } from '../../stores/event-files.ts'
import type { ArrivalPoint } from '../../stores/snapshot-store.ts'
import { windowStart } from '../../windows/hop.ts'

/** Where an engine finds a source's events as Parquet. */
export type EngineEvents =
  | {
      /** The stored ones, brought up to date in a folder: those from a time on at least; null: there are none. */
      readonly kind: 'STORED'
      readonly export: (source: EventSource, from: Micros) => Promise<string | null>
    }
  | GivenEvents

/** Others, which stand in a folder. */
export interface GivenEvents {
  readonly kind: 'FOLDER'
  readonly folder: string
  readonly form: EventForm
  /** It says of itself that it has none, and so has no file. */
  readonly isEmpty: boolean
  /** Which of the stored events are among them; null: not known. */
  readonly readAt: ArrivalPoint | null
  /** It has all events from a time on and before another; null: without that bound, or not known. */
  readonly from: Micros | null
  readonly to: Micros | null
}

/**
 * The folder of the events that a view's windows need, and their form; stored ones are exported first. Null: there are none.
 * @throws BadUserInput where a given folder says of itself that it lacks some.
 */
export async function eventsFolder(
  events: EngineEvents,
  view: BatchView,
  times: readonly Micros[],
  onStep: (step: string) => void,
): Promise<{ readonly folder: string; readonly form: EventForm } | null> {
  const since = firstEventOf(view, times)
  if (events.kind === 'STORED') {
    const longest = formatDuration(Math.max(...view.aggregations.map(({ windowMicros }) => windowMicros)))
    onStep(`exporting the events of "${view.events.name}", for windows of up to ${longest}`)
    const exported = await events.export(view.events, since)
    return exported === null ? null : { folder: exported, form: 'EXPORTED' }
  }
  const { folder, form, isEmpty, from, to } = events
  const until = Math.max(...times)
  if ((from !== null && from > since) || (to !== null && to < until))
    throw new BadUserInput(
      `these snapshots of feature view "${view.name}" need events from ${formatTimestamp(since)} to ${formatTimestamp(until)}; ${folder} was exported ${from === null ? '' : `from ${formatTimestamp(from)} `}${to === null ? '' : `to ${formatTimestamp(to)}`}`.trimEnd(),
    )
  return isEmpty ? null : { folder, form }
}

/** The first event that a window of these snapshots may hold. */
export function firstEventOf(view: BatchView, times: readonly Micros[]): Micros {
  const first = Math.min(...times)
  return Math.min(
    ...view.aggregations.map(({ windowMicros, hopMicros }) => windowStart(first, windowMicros, hopMicros)),
  )
}

/** The fields of events that a view is computed from: its join keys, what it aggregates and what its conditions ask. */
export function usedFields({ entity, events, aggregations }: BatchView): readonly EventField[] {
  const used = new Set([
    ...entity.joinKeys.map(({ name }) => name),
    ...aggregations.flatMap(({ field, where }) => [
      ...(field === null ? [] : [field.name]),
      ...where.map((one) => one.field.name),
    ]),
  ])
  return events.fields.filter(({ name }) => used.has(name))
}
