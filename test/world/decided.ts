import type { DecidedMessages, EventToKeep } from '../../src/stores/event-log.ts'

/** Events that break nothing, and nothing put aside. */
export function decided(events: readonly EventToKeep[]): DecidedMessages {
  return { events: events.map((event) => ({ ...event, violations: [] })), aside: [] }
}
