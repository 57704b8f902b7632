import type { EventSource } from '../../registry/registry.ts'
import type { DeadLetterStore } from '../../stores/dead-letter-store.ts'
import type { EventStore } from '../../stores/event-store.ts'
import { eventAcceptor, invalid } from '../accept/accept-event.ts'
import { notJson, readJsonLine } from '../accept/read-json-line.ts'
import { logTopic } from '../push/push-events.ts'

interface RetryTargets {
  readonly deadLetters: Pick<DeadLetterStore, 'page' | 'retry'>
  readonly events: Pick<EventStore, 'now'>
}

export interface RetriedLetters {
  /** Kept as events now. */
  readonly kept: number
  /** Their entity was deleted, or their id has an event already: gone. */
  readonly dropped: number
  /** By the reason why they stay. */
  readonly refused: ReadonlyMap<string, number>
}

const lettersAtOnce = 500

/**
 * Messages that were dead-lettered, tried again by today's definitions and the present. One that fits is stored at the end of the
 * gateway's own log, since its position in the topic has been processed, and counts from now; its letter is gone with the same
 * transaction. So it may be stopped anywhere and run again.
 */
export async function retryDeadLetters(
  { deadLetters, events }: RetryTargets,
  source: EventSource,
): Promise<RetriedLetters> {
  const accept = eventAcceptor(source)
  const refused = new Map<string, number>()
  let [kept, dropped] = [0, 0]
  for (let before: number | null = null; ; ) {
    const letters = await deadLetters.page({ source: source.name, before, first: lettersAtOnce })
    const now = await events.now()
    const accepted = letters.flatMap(({ id, value }) => {
      const read = readJsonLine(value)
      const verdict = read === null ? invalid(notJson) : accept(read.json, now)
      if (verdict.status === 'ACCEPTED')
        return [{ id, event: { ...verdict.event, violations: verdict.violations } }]
      refused.set(verdict.message, (refused.get(verdict.message) ?? 0) + 1)
      return []
    })
    if (accepted.length > 0) {
      const outcomes = await deadLetters.retry(source, logTopic(source), accepted, now)
      kept += outcomes.filter((outcome) => outcome === 'STORED').length
      dropped += outcomes.filter((outcome) => outcome === 'DELETED' || outcome === 'REPEATED').length
    }
    const last = letters.at(-1)
    if (!last || letters.length < lettersAtOnce) return { kept, dropped, refused }
    before = last.id
  }
}
