import { formatDuration } from '../../definitions/duration.ts'
import type { Micros } from '../../definitions/timestamp.ts'
import type { BatchView, EventSource } from '../../registry/registry.ts'
import type { ArrivalPoint } from '../../stores/snapshot-store.ts'
import { windowStart } from '../../windows/hop.ts'

/** Where an engine finds a source's events as Parquet. */
export type EngineEvents =
  | {
      /** The stored ones, brought up to date in a folder: those from a time on at least. */
      readonly kind: 'STORED'
      readonly export: (source: EventSource, from: Micros) => Promise<string>
    }
  /** Others, which stand there; `readAt`: which of the stored events are among them, where that is known. */
  | { readonly kind: 'FOLDER'; readonly folder: string; readonly readAt: ArrivalPoint | null }

/** The folder of the events that a view's windows need, from a time on; stored ones are exported first. */
export async function eventsFolder(
  events: EngineEvents,
  view: BatchView,
  since: Micros,
  onStep: (step: string) => void,
): Promise<string> {
  if (events.kind === 'FOLDER') return events.folder
  const longest = formatDuration(Math.max(...view.aggregations.map(({ windowMicros }) => windowMicros)))
  onStep(`exporting the events of "${view.events.name}", for windows of up to ${longest}`)
  return await events.export(view.events, since)
}

/** The first event that a window of these snapshots may hold. */
export function firstEventOf(view: BatchView, times: readonly Micros[]): Micros {
  const first = Math.min(...times)
  return Math.min(
    ...view.aggregations.map(({ windowMicros, hopMicros }) => windowStart(first, windowMicros, hopMicros)),
  )
}
