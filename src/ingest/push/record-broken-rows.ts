import type { Micros } from '../../definitions/timestamp.ts'
import type { FeatureRow } from '../../definitions/value.ts'
import { EntityDeleted, StoreFailed } from '../../errors.ts'
import type { CheckedRow } from '../../quality/check-row.ts'
import type { StoredView } from '../../registry/registry.ts'
import type { FeatureRows } from '../../stores/feature-rows.ts'
import type { Violation, ViolationStore } from '../../stores/violation-store.ts'
import { type PushOutcome, refusal, type StoreFailureObserver } from './push-outcome.ts'

/** A row that breaks expectations, whatever they make of it. */
export interface BrokenRow {
  readonly place: number
  readonly row: FeatureRow
  readonly violations: readonly Violation[]
  /** Null where it is not to be quarantined. */
  readonly quarantine: { readonly content: unknown; readonly reason: string } | null
}

interface RecordTargets {
  readonly offline: Pick<FeatureRows, 'deletedRows'>
  readonly violations: Pick<ViolationStore, 'record'>
  readonly storeFailed: StoreFailureObserver
}

/**
 * Records what was broken, but nothing about deleted entities. Returns the outcomes that this changes, by their position
 * among the offered rows. Two round trips.
 */
export async function recordBrokenRows(
  { offline, violations, storeFailed }: RecordTargets,
  view: StoredView,
  broken: readonly BrokenRow[],
  recordedAt: Micros,
): Promise<ReadonlyMap<number, PushOutcome>> {
  const quarantined = broken.filter(({ quarantine }) => quarantine !== null)
  const all = (among: readonly BrokenRow[], outcome: PushOutcome) =>
    new Map(among.map(({ place }) => [place, outcome]))
  if (broken.length === 0) return new Map()
  try {
    const deleted = await offline.deletedRows(
      view,
      broken.map(({ row }) => row),
    )
    const recorded = broken.filter((_, index) => !deleted[index])
    await violations.record(
      recorded.flatMap((one) => one.violations),
      recorded.flatMap(({ quarantine }) =>
        quarantine === null ? [] : [{ view: view.id, ...quarantine, recordedAt }],
      ),
    )
    return all(
      quarantined.filter((one) => !recorded.includes(one)),
      refusal(new EntityDeleted()),
    )
  } catch (error) {
    if (!(error instanceof StoreFailed)) throw error
    storeFailed('offline', error)
    const message = 'the row was to be quarantined and could not be stored: push it again'
    return all(quarantined, { accepted: false, online: 'NOT_ASKED', code: 'UNAVAILABLE', message })
  }
}

/** What the strictest broken expectation makes of a row; null where it is only to be warned of. */
export function refusedBy({
  violations,
  action,
}: CheckedRow): Extract<PushOutcome, { accepted: false }> | null {
  if (action === null || action === 'warn') return null
  const message = violations.map((violation) => `${violation.feature}: ${violation.message}`).join('; ')
  const code = action === 'reject' ? 'EXPECTATION_FAILED' : 'QUARANTINED'
  return { accepted: false, online: 'NOT_ASKED', code, message }
}
