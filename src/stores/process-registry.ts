import type { Micros } from '../definitions/timestamp.ts'

export type ProcessKind = 'gateway' | 'worker' | 'stream'

/** What runs in the background: one process of a project does it at a time, others stand by. The demo has no other. */
export type BackgroundWork = 'worker' | 'stream' | 'demo'

/** A process as it reports itself. */
export interface ReportedProcess {
  readonly id: string
  readonly kind: ProcessKind
  /** As long as it lives; a command that ends by itself runs none. */
  readonly runs: readonly BackgroundWork[]
  /** Of the project's locks those that it holds. */
  readonly leads: readonly BackgroundWork[]
  /** Of the program. */
  readonly version: string
  /** Digest of the definitions that it serves. */
  readonly definitions: string
  /** Of the registry, that it serves; null: a program that does not know of versions. */
  readonly registryVersion: number | null
  readonly host: string
  readonly pid: number
}

export interface RunningProcess extends ReportedProcess {
  readonly startedAt: Micros
  readonly lastSeenAt: Micros
  /** Whether it keeps the online store's guard now. */
  readonly holdsGuard: boolean
}

/** The processes of a project, by what each reports of itself. Rejects with `StoreFailed`. */
export interface ProcessRegistry {
  /** To be repeated every few seconds. */
  readonly report: (process: ReportedProcess) => Promise<void>
  /** Those that reported within the last 20 seconds by the database's clock, the oldest first. */
  readonly running: () => Promise<readonly RunningProcess[]>
  readonly leave: (id: string) => Promise<void>
}
