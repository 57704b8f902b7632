import type { Micros } from '../definitions/timestamp.ts'
import type { StoredEventSource } from './stored-event-source.ts'

/** A partition of a topic and where its next event will stand. */
export interface StoredPartition {
  readonly topic: string
  readonly topicNumber: number
  readonly partition: number
  readonly nextOffset: number
  /** Of the source's topic in the stream, as it is now; logs, files and topics of before are always caught up. */
  readonly isStreamed: boolean
  /** All that stood in the stream's partition at this moment has been processed; null: that is not known. */
  readonly watermark: Micros | null
}

export interface PartitionWatermark {
  readonly topic: string
  readonly partition: number
  /** Everything below it has been processed. */
  readonly nextOffset: number
  readonly at: Micros
}

/** How far events are stored. Every method rejects with `StoreFailed` when the database does not answer. */
export interface EventPositions {
  /** Until when partitions of the source are caught up with their stream, and their positions; neither moves back. */
  readonly recordWatermarks: (
    source: StoredEventSource,
    watermarks: readonly PartitionWatermark[],
  ) => Promise<void>
  /** How far every partition of the source is stored: what is read below `nextOffset` is all that there will be. */
  readonly positions: (source: StoredEventSource) => Promise<readonly StoredPartition[]>
}
