/** Every code that a caller or an operator can meet. The README lists them with their meaning. */
export type ErrorCode =
  | 'BAD_USER_INPUT'
  | 'LIMIT_EXCEEDED'
  | 'OVERLOADED'
  | 'RATE_LIMITED'
  | 'THREAD_ENDED'
  | 'UNAUTHENTICATED'
  | 'FORBIDDEN'
  | 'UNAVAILABLE'
  | 'INVALID_DEFINITIONS'
  | 'INVALID_CONFIG'
  | 'TABLES_DIFFER'
  | 'REGISTRY_UNREADABLE'
  | 'NOT_APPLIED'
  | 'APPLY_REFUSED'
  | 'MIGRATION_FAILED'
  | 'EMBEDDED_POSTGRES_FAILED'
  | 'STORE_FAILED'
  | 'INVALID_ROW'
  | 'INVALID_EVENT'
  | 'EVENT_FROM_AHEAD'
  | 'QUARANTINED'
  | 'EXPECTATION_FAILED'
  | 'ENTITY_DELETED'
  | 'ROW_COUNT_REFUSED'
  | 'HISTORY_EXPIRED'
  | 'DEMO_REFUSED'
  | 'TOPIC_REPLACED'
  | 'ON_DEMAND_FAILED'
  | 'STORAGE_FULL'
  | 'CARD_UNREADABLE'
  | 'OTHER_DATABASE'
  | 'OTHER_DEFINITIONS'
  | 'OTHER_SPINE'
  | 'HISTORY_REMOVED'
  | 'NOT_REPRODUCED'
  | 'FILES_CHANGED'
  | 'ENGINE_FAILED'
  | 'ENGINE_UNSUITABLE'
  | 'CANCELLED'

/**
 * The one base of the project's errors: a caller's mistake or a broken service.
 * Expected outcomes (a missing feature, an expired row) are values, never errors.
 */
export abstract class FeaturegraphError extends Error {
  abstract readonly code: ErrorCode
  override get name(): string {
    return this.constructor.name
  }
}

/** The base of the errors of one code. */
function errorOf<Code extends ErrorCode>(code: Code) {
  abstract class CodedError extends FeaturegraphError {
    readonly code = code
  }
  return CodedError
}

/** What the caller sent cannot be used; the message says what was expected and what came. */
export class BadUserInput extends errorOf('BAD_USER_INPUT') {}

/** A request is larger than the gateway allows; nothing of it was executed. */
export class LimitExceeded extends errorOf('LIMIT_EXCEEDED') {}

/** Nothing of the request was executed; it may be sent again after so many seconds. */
abstract class LaterError extends FeaturegraphError {
  readonly retryAfterSeconds: number
  constructor(message: string, retryAfterSeconds: number) {
    super(message)
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** More is asked of the gateway than it takes on at once. */
export class Overloaded extends LaterError {
  readonly code = 'OVERLOADED'
}

/** A caller asks for more in a second than it may. */
export class RateLimited extends LaterError {
  readonly code = 'RATE_LIMITED'
}

/** The seconds of an error that says when to come again; null: of another. */
export function retryAfterSeconds(error: unknown): number | null {
  return error instanceof LaterError ? error.retryAfterSeconds : null
}

/** The thread that answered a request ended before its answer was written. */
export class ThreadEnded extends errorOf('THREAD_ENDED') {}

/** No key, or one that is not known. The same for both, so that nothing can be learned by trying. */
export class Unauthenticated extends errorOf('UNAUTHENTICATED') {}

/** The key is known and lacks the right. */
export class Forbidden extends errorOf('FORBIDDEN') {}

/** One problem of an input, with the place where it stands. */
export interface Problem {
  readonly path: string
  readonly message: string
}
export type Report = (problem: Problem) => void

abstract class SeveralProblems extends FeaturegraphError {
  readonly problems: readonly Problem[]
  constructor(what: string, problems: readonly Problem[]) {
    super(`${what}:\n${problems.map(({ path, message }) => `  ${path}: ${message}`).join('\n')}`)
    this.problems = problems
  }
}

/** The definitions contradict themselves; all problems at once, each with its path. */
export class InvalidDefinitions extends SeveralProblems {
  readonly code = 'INVALID_DEFINITIONS'
  constructor(problems: readonly Problem[]) {
    super(`the definitions have ${problems.length} problem(s)`, problems)
  }
}

/** Settings cannot be used; all problems at once, each named by its variable. Never holds a secret. */
export class InvalidConfig extends SeveralProblems {
  readonly code = 'INVALID_CONFIG'
  constructor(problems: readonly Problem[]) {
    super(`the settings have ${problems.length} problem(s)`, problems)
  }
}

/** A table in Postgres and the definition that it should have disagree. */
export class TablesDiffer extends SeveralProblems {
  readonly code = 'TABLES_DIFFER'
  constructor(problems: readonly Problem[]) {
    super("the offline store's tables differ from the definitions", problems)
  }
}

/** The registry holds a version that this program cannot read. */
export class RegistryUnreadable extends errorOf('REGISTRY_UNREADABLE') {}

/** No definitions have been applied to the project yet. */
export class NotApplied extends errorOf('NOT_APPLIED') {
  constructor(project: string) {
    super(
      `no definitions have been applied to project "${project}" yet; run \`featuregraph apply\`, or start the gateway, which applies them to an empty registry`,
    )
  }
}

/** The definitions cannot become the registry's: another apply is under way, or what changes needs a word more. */
export class ApplyRefused extends errorOf('APPLY_REFUSED') {}

/** A migration file failed or the applied ones are not those of this program. */
export class MigrationFailed extends errorOf('MIGRATION_FAILED') {}

/** The embedded Postgres could not be started or joined. */
export class EmbeddedPostgresFailed extends errorOf('EMBEDDED_POSTGRES_FAILED') {}

/** A store did not do what was asked; the message is for the log, never for a caller. */
export class StoreFailed extends errorOf('STORE_FAILED') {}

/** A store did not answer within its time. */
export class StoreTimedOut extends StoreFailed {}

/** What a server of a store is checked for. */
export type StoreCheck =
  | 'cluster'
  | 'version'
  | 'rights'
  | 'eviction'
  | 'replica'
  | 'memory'
  | 'writes'
  | 'pooler'

/**
 * A server answers and cannot be used as this store: the check that fails, and a message with the remedy, without a
 * secret. Lasting: somebody has to change something; else it may recover by itself, as after a failover.
 */
export class StoreUnsuitable extends StoreFailed {
  readonly check: StoreCheck
  readonly lasting: boolean
  constructor(check: StoreCheck, lasting: boolean, message: string, options?: ErrorOptions) {
    super(message, options)
    this.check = check
    this.lasting = lasting
  }
}

/** A feature row breaks its view's types. */
export class InvalidRow extends errorOf('INVALID_ROW') {}

/** A row is about an entity that was deleted at its event timestamp or later. */
export class EntityDeleted extends errorOf('ENTITY_DELETED') {
  constructor() {
    super('an entity of this key was deleted, with everything up to a time at or after this event timestamp')
  }
}

/** A deletion stands, and has not reached everything yet; the same again completes it. */
export class DeletionUnfinished extends errorOf('UNAVAILABLE') {}

/** A snapshot or a file has a number of rows that its view does not accept; nothing of it was stored. */
export class RowCountRefused extends errorOf('ROW_COUNT_REFUSED') {}

/** The events that a snapshot needs were dropped by their source's retention; nothing of it was written. */
export class HistoryExpired extends errorOf('HISTORY_EXPIRED') {}

/** The demo world would meet real data. */
export class DemoRefused extends errorOf('DEMO_REFUSED') {}

/** A topic of the stream is not the one whose events are stored; nothing of it is read. */
export class TopicReplaced extends errorOf('TOPIC_REPLACED') {
  constructor(topic: string, how: string) {
    super(
      `the topic "${topic}" ${how}; nothing is read from it until \`featuregraph stream rebuild <view>\`, for a view of its events, takes it as a new one`,
    )
  }
}

/** The functions of on-demand views cannot be run over many rows; nothing was made. */
export class OnDemandFailed extends errorOf('ON_DEMAND_FAILED') {}

/** A signal ended what was under way; nothing of it was kept. */
export class Cancelled extends errorOf('CANCELLED') {}

/** What is needed is not set up here, or cannot be had at present; the message says what to do. */
export class NotAvailable extends errorOf('UNAVAILABLE') {}

/** The disk of the files has no room left; nothing of what was being written stays. */
export class StorageFull extends errorOf('STORAGE_FULL') {}

/** A training set's card is none, of a newer format, or was changed by hand so that it cannot be used. */
export class CardUnreadable extends SeveralProblems {
  readonly code = 'CARD_UNREADABLE'
}

/** A training set's card is of another database or project, or the database was restored to a time before it. */
export class OtherDatabase extends errorOf('OTHER_DATABASE') {}

/** What a training set is made of is not defined as it was when its card was written. */
export class OtherDefinitions extends errorOf('OTHER_DEFINITIONS') {}

/** The spine is not the one that a training set's card names. */
export class OtherSpine extends errorOf('OTHER_SPINE') {}

/** Rows or events that a training set was made of are gone or were changed. */
export class HistoryRemoved extends errorOf('HISTORY_REMOVED') {}

/** A training set that was made again from its card came out as another file; nothing of it was kept. */
export class NotReproduced extends errorOf('NOT_REPRODUCED') {}

/** Files that a training set was made of, or is being made of, are not there any more or were written again. */
export class FilesChanged extends errorOf('FILES_CHANGED') {}

/** What an error of unknown kind says. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The `code` of a Node error (`ENOENT`, `EACCES`, …), or an empty string. */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** What to take where a file is not there, as the rejection handler of its reading; other failures are thrown on. */
export function ifMissing<Fallback>(fallback: Fallback): (error: unknown) => Fallback {
  return (error) => {
    if (errorCode(error) === 'ENOENT') return fallback
    throw error
  }
}

/** An engine that computes over files could not be started or failed; the message ends with the last lines of its log. */
export class EngineFailed extends errorOf('ENGINE_FAILED') {}

/** An engine was asked for by name that cannot make the training set; nothing was made. */
export class EngineUnsuitable extends errorOf('ENGINE_UNSUITABLE') {}
