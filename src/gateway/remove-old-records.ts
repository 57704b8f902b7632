import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Config } from '../config/config.ts'
import type { RecordRetention } from '../stores/record-retention.ts'

/** Soon after the start, then each hour. */
const everyMs = 3_600_000

/** Every gateway does it, since a project may have no worker. Until the signal aborts; a failure waits for the next time. */
export async function removeOldRecords(
  records: RecordRetention,
  { pushReceiptRetentionMicros, auditRetentionMicros }: Config,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const ages = { pushReceipts: pushReceiptRetentionMicros, audit: auditRetentionMicros }
  while (!signal.aborted) {
    await records.removeOld(ages).then(
      (removed) =>
        removed > 0 && log.info(`${removed} push receipts and rows of the audit are removed: they are old`),
      (error: unknown) =>
        log.warn({ err: error }, 'old push receipts and rows of the audit cannot be removed now'),
    )
    await sleep(everyMs, undefined, { signal, ref: false }).catch(() => {})
  }
}
