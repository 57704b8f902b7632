import type { Micros } from '../definitions/timestamp.ts'
import { BadUserInput, InvalidRow } from '../errors.ts'
import { eventAcceptor } from '../ingest/accept/accept-event.ts'
import { acceptRow } from '../ingest/accept/accept-row.ts'
import { readPushedLine } from '../ingest/push/read-pushed-line.ts'
import { checkRow } from '../quality/check-row.ts'
import type { EventSource, FeatureView } from '../registry/registry.ts'
import type { Violation } from '../stores/violation-store.ts'
import type { NumberedRow } from './newest-row.ts'
import { asJson, readMoment } from './offered-content.ts'
import type { StoredEvents } from './stored-events.ts'

/** What became of a row or an event; the codes are those of a push. */
export type Outcome = {
  /** What expectations say of it, also when it was accepted. */
  readonly violations: readonly string[]
} & (
  | { readonly accepted: true }
  | { readonly accepted: false; readonly code: string; readonly message: string }
)

/** Without a moment of storing an event is stored when it happened, which is never ahead. */
const never = Number.MAX_SAFE_INTEGER

/** @throws BadUserInput for one that does not fit. */
export function offerEvent(
  source: EventSource,
  log: StoredEvents,
  offered: object,
  { storedAt, place }: { readonly storedAt: Micros | null; readonly place: number },
): Outcome {
  const verdict = eventAcceptor(source)(asJson(offered), storedAt ?? never)
  const violations = messages(verdict.violations)
  if (verdict.status === 'ACCEPTED') {
    log.append(verdict.event, storedAt ?? verdict.event.eventTimestamp)
    return { accepted: true, violations }
  }
  const { code, message } = verdict
  if (code === 'INVALID_EVENT') throw new BadUserInput(`events[${place}]: ${message}`)
  return { accepted: false, code, message, violations }
}

/** @throws InvalidRow for one that does not fit. */
export function offerRow(view: FeatureView, stored: NumberedRow[], offered: object, place: number): Outcome {
  if (view.kind === 'STREAM') {
    throw new BadUserInput(
      `feature view "${view.name}" is computed from events when it is asked for; give events of source "${view.events.name}"`,
    )
  }
  const { created_timestamp: created, ...content } = asJson(offered) as Readonly<Record<string, unknown>>
  const pushed = readPushedLine(view, Buffer.from(JSON.stringify(content)))
  if (pushed instanceof InvalidRow) throw new InvalidRow(`rows[${place}]: ${pushed.message}`)
  const createdTimestamp =
    created === undefined
      ? pushed.eventTimestamp
      : created === null
        ? null
        : readMoment(`rows[${place}].created_timestamp`, created)
  const row = acceptRow(view, { ...pushed, createdTimestamp })
  const { violations, action } = checkRow(view, row, createdTimestamp ?? row.eventTimestamp)
  if (action === null || action === 'warn') {
    stored.push({ ...row, rowId: stored.length + 1 })
    return { accepted: true, violations: messages(violations) }
  }
  const code = action === 'reject' ? 'EXPECTATION_FAILED' : 'QUARANTINED'
  const broken = messages(violations)
  return { accepted: false, code, message: broken.join('; '), violations: broken }
}

function messages(violations: readonly Violation[]): readonly string[] {
  return violations.map(({ feature, message }) => `${feature}: ${message}`)
}
