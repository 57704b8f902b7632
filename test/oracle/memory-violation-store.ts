import type { StoredViolation, ViolationStore } from '../../src/stores/violation-store.ts'

/** Violations in plain code, inside one process; what was quarantined is counted by nobody. */
export function memoryViolationStore(): ViolationStore {
  const stored: StoredViolation[] = []
  return {
    record: async (violations) => {
      for (const violation of violations) stored.push({ ...violation, id: stored.length + 1 })
    },
    page: async ({ view, since, after, first }) =>
      [...stored]
        .sort((left, right) => right.recordedAt - left.recordedAt || right.id - left.id)
        .filter(
          (violation) =>
            (view === null || violation.view === view) &&
            (since === null || violation.recordedAt >= since) &&
            (after === null ||
              violation.recordedAt < after.recordedAt ||
              (violation.recordedAt === after.recordedAt && violation.id < after.id)),
        )
        .slice(0, first),
  }
}
