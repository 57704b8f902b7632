import type { EventToStore, ProcessedMessages } from '../../src/stores/event-log.ts'

/** Events that break nothing, and nothing dead-lettered. */
export function judged(events: readonly EventToStore[]): ProcessedMessages {
  return { events: events.map((event) => ({ ...event, violations: [] })), deadLetters: [] }
}
