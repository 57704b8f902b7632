import type { Config } from '../../config/config.ts'
import type { RowStatus } from '../../definitions/row-status.ts'
import type { Micros } from '../../definitions/timestamp.ts'
import type { AnswerRoute } from '../../graph/answer-route.ts'
import type { AuditedDeed, Right } from '../../graph/context.ts'
import type { ApartAnswer, ApartRequest } from '../../graph/work-gate.ts'
import type { ComputeFailure } from '../../on-demand/compute-row.ts'

/** What a thread is started with. */
export interface ThreadStart {
  readonly config: Config
}

export interface ThreadRequest extends ApartRequest {
  /** Of the registry: the whole request runs in it. */
  readonly version: number
  readonly requestId: string
  readonly caller: { readonly name: string; readonly rights: readonly Right[] }
  readonly payer: string
  /** The moment that the request has begun at. */
  readonly now: Micros
  /** Where the offline database is; the embedded one may have moved. */
  readonly offlineUrl: string
}

export type ToThread =
  | { readonly kind: 'answer'; readonly id: number; readonly request: ThreadRequest }
  /** Its caller went away. */
  | { readonly kind: 'gone'; readonly id: number }
  /** Whether the turn that was asked for is there now. */
  | { readonly kind: 'turn'; readonly turn: number; readonly isGiven: boolean }

/** What the metrics of a request count, for the registry of the main thread. */
export interface Measures {
  readonly reads: readonly {
    readonly store: 'online' | 'offline'
    readonly rows: number
    readonly seconds: number
    readonly requestId: string
    readonly failed: boolean
  }[]
  readonly operations: readonly {
    readonly name: string | null
    readonly outcome: string
    readonly seconds: number
  }[]
  readonly routes: readonly AnswerRoute[]
  readonly engine: readonly string[]
  readonly nonFinite: readonly string[]
  readonly computeFailures: readonly Pick<ComputeFailure, 'view' | 'kind'>[]
  /** By the view's name. */
  readonly statuses: ReadonlyMap<string, Readonly<Record<RowStatus, number>>>
}

export interface ThreadAnswer extends ApartAnswer {
  /** For the audit log, which is the main thread's. */
  readonly deeds: readonly AuditedDeed[]
}

export type FromThread =
  | { readonly kind: 'answered'; readonly id: number; readonly answer: ThreadAnswer }
  /** It could not be executed; the message is for the log. */
  | { readonly kind: 'failed'; readonly id: number; readonly message: string }
  | { readonly kind: 'measured'; readonly measures: Measures }
  /** Of work that counts for all threads together: `turn` is the thread's own number for it. */
  | { readonly kind: 'turnAsked'; readonly turn: number; readonly payer: string }
  | { readonly kind: 'turnEnded'; readonly turn: number }
  /** A line of the log, as JSON. */
  | { readonly kind: 'logged'; readonly line: string }
