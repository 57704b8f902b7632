import type { Logger } from 'pino'
import type { Config } from '../config/config.ts'
import type { RecordAudit } from '../server/audit.ts'
import type { AuditEntry, AuditStore } from '../stores/audit-store.ts'

export interface OpenAudit {
  readonly record: RecordAudit
  /** What is recorded is in the table. */
  readonly close: () => Promise<void>
}

const flushMs = 500
/** Beyond, while the table does not take them, entries go to the log. */
const maxWaiting = 10_000

/** Entries by the setting: lines of the log, rows of the table (lines where that does not take them), or nothing. */
export function openAudit(to: Config['audit'], store: AuditStore, log: Logger): OpenAudit {
  const toLog: RecordAudit = (entry) => log.info({ audit: entry }, 'audit')
  if (to === null) return { record: () => {}, close: async () => {} }
  if (to === 'log') return { record: toLog, close: async () => {} }
  let waiting: AuditEntry[] = []
  let timer: NodeJS.Timeout | null = null
  let writing: Promise<void> = Promise.resolve()

  function flush(): Promise<void> {
    timer = null
    const entries = waiting
    waiting = []
    writing = writing
      .then(() => store.append(entries))
      .catch((error: unknown) => {
        log.warn({ err: error }, 'the table of the audit does not take entries: they follow here')
        for (const entry of entries) toLog(entry)
      })
    return writing
  }

  return {
    record(entry) {
      if (waiting.length >= maxWaiting) return toLog(entry)
      waiting.push(entry)
      timer ??= setTimeout(flush, flushMs)
    },
    async close() {
      if (timer) clearTimeout(timer)
      await flush()
    },
  }
}
