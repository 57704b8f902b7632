import type { Micros } from '../../definitions/timestamp.ts'
import type { StoredView } from '../../registry/registry.ts'
import type { StoredFeatureRow } from '../../stores/newest-rows.ts'
import { onlineKeySuffix } from '../../stores/online-value/online-key.ts'
import { compareRowOrder, readRowOrder, rowPacker } from '../../stores/online-value/packed-row.ts'
import { physicalExpiry } from '../../stores/online-value/physical-expiry.ts'
import type { MaterializeTargets } from '../materialize/materialize-view.ts'

/** What a comparison of both stores found. */
export interface Verified {
  /** Newest rows of as many keys. */
  readonly compared: number
  /** Rows that the online store lacked, or had an older one of; they are written. */
  readonly repaired: number
}

export interface VerifyOptions {
  readonly onWait: () => void
  /** Rows compared so far. */
  readonly onProgress: (compared: number) => void
}

/**
 * Compares the newest due row of every key with the one that is online, and writes those that are missing or older there:
 * for rows that were evicted or removed singly, which no guard sees. One read and at most one write for each batch of rows.
 * Recorded as a run. @throws StoreFailed
 */
export async function verifyView(
  targets: MaterializeTargets,
  view: StoredView,
  { onWait, onProgress }: VerifyOptions,
): Promise<Verified> {
  const { offline, runs, clock } = targets
  const subject = { kind: 'MATERIALIZE', view: view.id, asOf: null } as const
  return await runs.withRun(subject, { now: clock, onWait }, async (progress) => {
    const now = clock()
    let [compared, repaired] = [0, 0]
    await offline.newestRows({ view, now, scope: { kind: 'FULL' } }, async (rows) => {
      const deleted = view.source === null ? [] : await offline.deletedRows(view, rows)
      repaired += await repairRows(
        targets,
        view,
        rows.filter((_, index) => !deleted[index]),
        now,
      )
      compared += rows.length
      progress(compared)
      onProgress(compared)
    })
    const outcome = { state: 'SUCCEEDED', rowsRead: compared, rowsWritten: repaired, error: null } as const
    return { result: { compared, repaired }, outcome }
  })
}

/** As `verifyView`, of a random sample of keys; of a mapped source none, since its rows are written again by every run. */
export async function verifySample(
  targets: MaterializeTargets,
  view: StoredView,
  keys: number,
): Promise<Verified> {
  const now = targets.clock()
  const rows = await targets.offline.newestOfSample(view, now, keys)
  return { compared: rows.length, repaired: await repairRows(targets, view, rows, now) }
}

async function repairRows(
  { online, rowPrefix, layout }: MaterializeTargets,
  view: StoredView,
  rows: readonly StoredFeatureRow[],
  now: Micros,
): Promise<number> {
  if (rows.length === 0) return 0
  const prefix = await rowPrefix(view)
  const pack = rowPacker(layout(view))
  const expireAfter = physicalExpiry(view.ttlMicros)
  const oldest = expireAfter === null ? Number.NEGATIVE_INFINITY : now - expireAfter
  const writes = rows
    .filter((row) => row.isCurrent && row.eventTimestamp > oldest)
    .map((row) => ({ key: prefix + onlineKeySuffix(row.key), row: pack(row) }))
  const stood = (await online.readMany(writes.map(({ key }) => key))).rows
  const lacking = writes.filter(({ row }, index) => {
    const [order, storedOrder] = [readRowOrder(row), readRowOrder(stood[index] ?? Buffer.alloc(0))]
    return order !== null && (storedOrder === null || compareRowOrder(storedOrder, order) < 0)
  })
  if (lacking.length > 0) await online.writeMany(lacking, expireAfter)
  return lacking.length
}
