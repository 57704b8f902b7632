import type { Micros } from '../definitions/timestamp.ts'
import type { EventSource, StreamView } from '../registry/registry.ts'

/** Called with what becomes of events, for metrics. Never throws. */
export interface StreamObserver {
  /** `late`: of those stored, older than every window of the source's streaming views. */
  readonly processed: (
    source: EventSource,
    counts: { readonly stored: number; readonly late: number; readonly deadLetters: number },
  ) => void
  /** Messages of a partition that are not read yet. */
  readonly behind: (topic: string, partition: number, messages: number) => void
  /** From the clock's reading to the commit of a batch's offsets. */
  readonly flushed: (seconds: number) => void
  /** Events that were put into the tiles of a view. */
  readonly applied: (view: StreamView, events: number, seconds: number) => void
  /** All that had happened in the stream by then is in the view's live tiles. */
  readonly caughtUp: (view: StreamView, at: Micros) => void
}
