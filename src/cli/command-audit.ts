import type { Logger } from 'pino'
import type { Config } from '../config/config.ts'
import { appliedBy } from '../gateway/applied-by.ts'
import { openAudit } from '../gateway/open-audit.ts'
import type { AuditAction, AuditStore } from '../stores/audit-store.ts'

/** What commands record of what they changed, by the settings, as gateways do. */
export interface CommandAudit {
  readonly done: (action: AuditAction, subject: string, count?: number) => void
  /** What is recorded is in the table. */
  readonly close: () => Promise<void>
}

export function commandAudit(config: Config, store: AuditStore, log: Logger): CommandAudit {
  const { record, close } = openAudit(config.audit, store, log)
  const caller = { who: appliedBy(config), address: null, requestId: null }
  return {
    done: (action, subject, count = 1) => record({ ...caller, action, subject, outcome: 'DONE', count }),
    close,
  }
}
