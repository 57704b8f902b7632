export type AuditAction =
  | 'PUSH_ROWS'
  | 'PUSH_EVENTS'
  | 'DELETE_ENTITY'
  | 'CREATE_TRAINING_SET'
  | 'CANCEL_TRAINING_SET'
  | 'DELETE_TRAINING_SET'
  | 'UPLOAD_SPINE'
  | 'IMPORT'
  | 'RETRY_QUARANTINE'
  | 'APPLY'
  | 'ROLLBACK'
  | 'PRUNE'
  | 'CALL'

/** Who did what, or was refused it. When is when it is appended, by the database's clock. */
export interface AuditEntry {
  /** The API key's name, `loopback` or `anonymous`, or the user of a command; null: not known. */
  readonly who: string | null
  /** Null of a command, as the request id. */
  readonly address: string | null
  readonly requestId: string | null
  readonly action: AuditAction
  /** What it is about, by name; never a key or a value. */
  readonly subject: string | null
  /** `DONE`, or the code of the error. */
  readonly outcome: string
  /** Rows; of refused calls how many this stands for. */
  readonly count: number
}

/** Rejects with `StoreFailed`. */
export interface AuditStore {
  /** In this order. */
  readonly append: (entries: readonly AuditEntry[]) => Promise<void>
}
