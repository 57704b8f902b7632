import type { Micros } from '../definitions/timestamp.ts'
import type { TrainingSets } from '../historical/jobs/training-sets.ts'
import type { DeleteEntity } from '../ingest/deletion/delete-entity.ts'
import type { PushRows } from '../ingest/push/push-rows.ts'
import type { ComputeOnDemand } from '../online/on-demand.ts'
import type { RecordedNames } from '../registry/recorded-names.ts'
import type { OnDemandView } from '../registry/registry.ts'
import type { AuditAction } from '../stores/audit-store.ts'
import type { ProcessRegistry } from '../stores/process-registry.ts'
import type { RunStore } from '../stores/run-store.ts'
import type { VersionStore } from '../stores/version-store.ts'
import type { ViolationStore } from '../stores/violation-store.ts'
import type { ReadBytes } from './answer-size.ts'
import type { HistoryLoader } from './history-loader.ts'
import type { RowLoader } from './row-sources.ts'
import type { UnavailableViews } from './unavailable-views.ts'
import type { ApartAnswer } from './work-gate.ts'

/** The caller. Rights finer than read, per view, will be judged by this where a view is resolved. */
export interface Caller {
  readonly name: string
  readonly rights: ReadonlySet<Right>
}

export type Right = 'read' | 'write' | 'train' | 'admin'

/** What was done, to what and to how many rows; or the code of the error that a request ended with. */
export type AuditedDeed =
  | { readonly action: AuditAction; readonly subject: string | null; readonly count: number }
  | { readonly refused: string }

/** A request, before anything of it is executed. */
export interface AskingRequest {
  readonly requestId: string
  readonly caller: Caller
  /** Who is charged: the caller's API key, or its address where it has none. */
  readonly payer: string
  /** Read once per request, so that sibling fields agree. */
  readonly now: Micros
  /** By `performance.now()`, for the operation's latency. */
  readonly startedMs: number
  /** Aborts when the caller goes away; made when it is first asked for. */
  readonly signal: () => AbortSignal
  readonly readBytes: ReadBytes
  /** Records what the caller changed, or was refused. */
  readonly audit: (deed: AuditedDeed) => void
}

/** What one request shares among its resolvers. */
export interface GraphContext extends AskingRequest {
  /** The answer, where another thread has written it. */
  readonly reply: { apart: ApartAnswer | null }
  readonly rows: Pick<RowLoader, 'load'>
  readonly history: HistoryLoader
  readonly push: PushRows
  readonly deleteEntity: DeleteEntity
  readonly runs: RunStore
  readonly processes: Pick<ProcessRegistry, 'running'>
  readonly violations: ViolationStore
  /** What views are called today that runs and violations are recorded of. */
  readonly recorded: Readonly<Record<'runs' | 'violations', RecordedNames>>
  readonly versions: Pick<VersionStore, 'list'>
  /** In which version of the registry a definition last changed, as `feature view orders`; 0: it was never applied. */
  readonly changedIn: (place: string) => number
  readonly trainingSets: TrainingSets
  readonly unavailable: UnavailableViews
  readonly computeOnDemand: (view: OnDemandView) => ComputeOnDemand
}
