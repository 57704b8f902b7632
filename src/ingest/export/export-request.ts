import type { Micros } from '../../definitions/timestamp.ts'
import type { ExportRange, ExportSubject } from '../../stores/rows-to-export.ts'

export interface ExportRequest {
  readonly project: string
  readonly subject: ExportSubject
  /** Of a batch view: what its rows mean. */
  readonly definition: string | null
  readonly path: string
  /** Undefined: as the folder has it, or without a bound. */
  readonly from: Micros | undefined
  readonly to: Micros | undefined
  /** Everything anew, whatever the folder says of itself. */
  readonly rebuild: boolean
  readonly onWait: () => void
  readonly onProgress: (done: number, rows: number) => void
}

/** Of a view its first name: a renamed one goes on in its folder. */
export function subjectId(subject: ExportSubject): string {
  return subject.kind === 'EVENTS' ? subject.source.name : subject.view.id
}

/** The range that the folder is to hold. */
export function wantedRange({ from, to }: ExportRequest, held: ExportRange | null): ExportRange {
  return {
    from: from === undefined ? (held?.from ?? null) : from,
    to: to === undefined ? (held?.to ?? null) : to,
  }
}
