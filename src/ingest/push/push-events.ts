import type { Clock, Micros } from '../../definitions/timestamp.ts'
import { BadUserInput, EntityDeleted, type ErrorCode, StoreFailed } from '../../errors.ts'
import type { EventSource } from '../../registry/registry.ts'
import type { NewEvent, StoreOutcome } from '../../stores/event-log.ts'
import type { EventStore } from '../../stores/event-store.ts'
import type { ViolationStore } from '../../stores/violation-store.ts'
import {
  type AcceptEvent,
  type EventRefusal,
  type EventVerdict,
  eventAcceptor,
  invalid,
  type RefusedEvent,
} from '../accept/accept-event.ts'
import type { StreamObserver } from '../stream-observer.ts'
import { type BrokenExpectation, brokenExpectations } from './push-outcome.ts'

export interface PushEventsTargets {
  readonly events: Pick<EventStore, 'now' | 'append' | 'deletedEvents'>
  readonly violations: Pick<ViolationStore, 'record'>
  readonly clock: Clock
  readonly observe: Pick<StreamObserver, 'processed'>
  /** Events of so long ago are in no window of the source's streaming views. */
  readonly reach: (source: EventSource) => Micros
  /** Called for a store that did not take events; the caller gets the outcome only. */
  readonly storeFailed: (store: 'offline', error: StoreFailed) => void
}

/** As it came from the caller, or why nothing could be read. */
export type OfferedEvent = { readonly json: unknown } | { readonly unreadable: string }

/** `repeated`: an event of its id was stored before and counts instead, or this one had been stored already. */
export type EventOutcome = (
  | { readonly accepted: true; readonly repeated: boolean }
  | {
      readonly accepted: false
      /** UNAVAILABLE: the offline store did not answer for the event. */
      readonly code: EventRefusal | Extract<ErrorCode, 'ENTITY_DELETED' | 'UNAVAILABLE'>
      readonly message: string
    }
) & {
  /** What the event breaks of what is expected of it; left out where that is nothing. */
  readonly violations?: readonly BrokenExpectation[]
}

/** Events for one source, with targets that are bound. */
export type PushEvents = (
  source: EventSource,
  offered: readonly OfferedEvent[],
) => Promise<readonly EventOutcome[]>

/**
 * Events from outside, of sources without a producer, at the end of the gateway's own log; one outcome an event, in order.
 * All that fit are stored in one transaction; an id of the source's own makes it safe to send them again. What is reported of an
 * event (violations, quarantine) is reported only of those that are stored now or kept out, and never of a deleted entity's.
 * @throws BadUserInput for a source whose events stand in a mapped table.
 */
export function eventPusher(targets: PushEventsTargets): PushEvents {
  const acceptors = new Map<EventSource, AcceptEvent>()
  return async (source, offered) => {
    refuseMappedEvents(source)
    const accept = acceptors.get(source) ?? eventAcceptor(source)
    acceptors.set(source, accept)
    const moment = await targets.events.now().catch(unanswered)
    // What does not fit is answered without a store too.
    const now = moment instanceof StoreFailed ? targets.clock() : moment
    const verdicts = offered.map((one) => ('json' in one ? accept(one.json, now) : invalid(one.unreadable)))
    const kept = await store(targets, source, verdicts, moment)
    const refused = await recordRefused(targets, source, verdicts, now)
    count(targets, source, verdicts, new Map([...kept, ...refused]), now)
    return verdicts.map((verdict) => {
      const outcome = kept.get(verdict) ?? refused.get(verdict)
      if (outcome) return outcome.accepted && !outcome.repeated ? withBroken(outcome, verdict) : outcome
      if (verdict.status === 'REFUSED') return withBroken(refusal(verdict), verdict)
      throw new TypeError('an accepted event has no outcome')
    })
  }
}

function withBroken(outcome: EventOutcome, { violations }: EventVerdict): EventOutcome {
  return violations.length === 0 ? outcome : { ...outcome, violations: brokenExpectations(violations) }
}

function count(
  { observe, reach }: PushEventsTargets,
  source: EventSource,
  verdicts: readonly EventVerdict[],
  outcomes: Outcomes,
  now: Micros,
): void {
  const since = now - reach(source)
  let [stored, late, deadLetters] = [0, 0, 0]
  for (const verdict of verdicts) {
    const outcome = outcomes.get(verdict)
    // What is reported of a refused one beside its verdict is that it is not in quarantine.
    if (verdict.status === 'REFUSED') deadLetters += verdict.isQuarantined && !outcome ? 1 : 0
    else if (outcome?.accepted && !outcome.repeated) {
      stored += 1
      if (verdict.event.eventTimestamp < since) late += 1
    }
  }
  observe.processed(source, { stored, late, deadLetters })
}

/** @throws BadUserInput for a source whose events stand in a table of the caller's. */
export function refuseMappedEvents({ name, table }: EventSource): void {
  if (table === null) return
  throw new BadUserInput(
    `the events of source "${name}" stand in the table ${table} and are read there; only sources without a table take events`,
  )
}

type Outcomes = ReadonlyMap<EventVerdict, EventOutcome>

/** The outcomes of accepted events. What they break and are only to be warned of is recorded of those that count. */
async function store(
  { events, violations, storeFailed }: PushEventsTargets,
  source: EventSource,
  verdicts: readonly EventVerdict[],
  moment: Micros | StoreFailed,
): Promise<Outcomes> {
  const accepted = verdicts.filter((verdict) => verdict.status === 'ACCEPTED')
  if (accepted.length === 0) return new Map()
  let outcomes: readonly StoreOutcome[]
  try {
    const toStore = accepted.map(({ event }) => event)
    if (moment instanceof StoreFailed) throw moment
    outcomes = await events.append(source, logTopic(source), toStore, moment)
  } catch (error) {
    if (!(error instanceof StoreFailed)) throw error
    storeFailed('offline', error)
    return new Map(accepted.map((verdict) => [verdict, notKnown(verdict.event)]))
  }
  const broken = accepted.flatMap((verdict, index) =>
    outcomes[index] === 'STORED' ? verdict.violations : [],
  )
  // The events are stored: what cannot be reported of them does not undo that.
  if (broken.length > 0) await violations.record(broken, []).catch(tellOf(storeFailed))
  return new Map(accepted.map((verdict, index) => [verdict, outcomeOf(outcomes[index])]))
}

function tellOf(storeFailed: PushEventsTargets['storeFailed']) {
  return (error: unknown): void => {
    if (!(error instanceof StoreFailed)) throw error
    storeFailed('offline', error)
  }
}

function outcomeOf(outcome: StoreOutcome | undefined): EventOutcome {
  switch (outcome) {
    case 'STORED':
      return { accepted: true, repeated: false }
    case 'REPEATED':
      return { accepted: true, repeated: true }
    case 'DELETED':
      return refusal(new EntityDeleted())
    default:
      throw new TypeError('the event store answered without an outcome for an event')
  }
}

function unanswered(error: unknown): StoreFailed {
  if (error instanceof StoreFailed) return error
  throw error
}

function notKnown({ eventId }: NewEvent): EventOutcome {
  const again =
    eventId === null
      ? 'it has no id, so that sent again it may count twice'
      : 'send it again, by its id it counts once'
  const message = `the offline store did not answer; whether it has the event is not known: ${again}`
  return { accepted: false, code: 'UNAVAILABLE', message }
}

/** The outcomes of refused events that differ from their verdict: of deleted entities, and those not quarantined in fact. */
async function recordRefused(
  { events, violations, storeFailed }: PushEventsTargets,
  source: EventSource,
  verdicts: readonly EventVerdict[],
  recordedAt: Micros,
): Promise<Outcomes> {
  const refused = verdicts.flatMap((verdict) =>
    verdict.status === 'REFUSED' && verdict.event !== null ? [{ verdict, event: verdict.event }] : [],
  )
  if (refused.length === 0) return new Map()
  try {
    const deleted = await events.deletedEvents(
      source,
      refused.map(({ event }) => event),
    )
    const recorded = refused.filter((_, index) => !deleted[index]).map(({ verdict }) => verdict)
    await violations.record(
      recorded.flatMap((verdict) => verdict.violations),
      recorded.flatMap(({ isQuarantined, content, message }) =>
        isQuarantined ? [{ view: source.name, content, reason: message, recordedAt }] : [],
      ),
    )
    const gone = refused.filter((_, index) => deleted[index])
    return new Map(gone.map(({ verdict }) => [verdict, refusal(new EntityDeleted())]))
  } catch (error) {
    if (!(error instanceof StoreFailed)) throw error
    storeFailed('offline', error)
    const message = 'the event was to be quarantined and could not be stored: send it again'
    const lost = refused.filter(({ verdict }) => verdict.isQuarantined)
    return new Map(lost.map(({ verdict }) => [verdict, { accepted: false, code: 'UNAVAILABLE', message }]))
  }
}

function refusal({ code, message }: RefusedEvent | EntityDeleted): EventOutcome {
  return { accepted: false, code, message }
}

/** A log of its own, apart from a stream's topic, whose offsets are given elsewhere. */
export function logTopic({ name }: EventSource): string {
  return `log:${name}`
}
