import { formatTimestamp } from '../definitions/timestamp.ts'
import type { AppliedVersion, BegunApply } from '../stores/version-store.ts'

/** Of a JSON document. */
export function shownVersion({
  version,
  appliedAt,
  appliedBy,
  message,
  changes,
  digest,
  program,
}: AppliedVersion) {
  return { version, appliedAt: formatTimestamp(appliedAt), appliedBy, message, changes, digest, program }
}

/** Of a JSON document. */
export function shownBegun({ kind, base, by, message, begunAt, done, expiresAt, isHeld }: BegunApply) {
  return {
    ...{ kind: kind.toLowerCase(), base, by, message, begunAt: formatTimestamp(begunAt), done },
    ...{ isUnderWay: isHeld, leaseExpiresAt: formatTimestamp(expiresAt) },
  }
}
