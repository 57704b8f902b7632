import type { Clock, Micros } from '../definitions/timestamp.ts'
import { StoreFailed } from '../errors.ts'
import type { EventSource, Registry } from '../registry/registry.ts'
import type { DecidedEvent, EventStore, MessageAside } from '../stores/event-store.ts'
import type { EventStream, StreamMessage } from '../stores/event-stream.ts'
import { type AcceptEvent, eventAcceptor, invalid } from './accept-event.ts'
import { longestReach } from './followed-sources.ts'
import { notJson, readJsonLine } from './read-json-line.ts'
import type { StreamLog } from './stream-log.ts'
import type { StreamObserver } from './stream-observer.ts'
import { topicGate } from './topic-gate.ts'

export interface ConsumeTargets {
  readonly events: Pick<EventStore, 'keep' | 'openTopic' | 'positions' | 'recordLevels'>
  readonly stream: EventStream
  readonly clock: Clock
}

export interface ConsumeEventsOptions {
  /** Consumers of one group share the partitions. */
  readonly group: string
  readonly signal: AbortSignal
  /** Resolves early when the signal aborts. */
  readonly pause: (ms: number) => Promise<unknown>
  readonly observe: Pick<StreamObserver, 'decided' | 'behind' | 'flushed'>
  /** Told after each batch that something was put aside, and once at the beginning. */
  readonly onAside: () => void
  readonly log: StreamLog
}

const maxMessages = 5_000
const waitMs = 250
const levelEveryMs = 500
const retryAfterMs = [100, 400, 1_600, 5_000]

/**
 * Keeps what the topics of event sources bring, until the signal aborts: a batch is kept in one transaction a source, with
 * what is no event put aside, and only then are the offsets committed. What counts is where Postgres says that a
 * partition was decided: a consumer goes on from there, so that a crash, a rebalance or a group set back changes nothing.
 * A store that does not answer is waited for while nothing else is polled.
 */
export async function consumeEvents(
  targets: ConsumeTargets,
  registry: Pick<Registry, 'eventSources' | 'views'>,
  options: ConsumeEventsOptions,
): Promise<void> {
  const { group, signal, pause, log, observe } = options
  const topics = consumedTopics(registry)
  if (topics.size === 0) return
  const gate = topicGate(targets, topics, log)
  const consumer = targets.stream.consume({
    group,
    topics: [...topics.keys()],
    onAssigned: (partitions) => gate.assigned(partitions, (position) => consumer.seek(position)),
    // Nothing is held back between polls: what was polled has been kept and committed.
    onRevoked: async (partitions) => gate.gone('given up', partitions),
    onLost: (partitions) => gate.gone('lost', partitions),
    onError: (error) => log.warn(error.message, error),
  })
  const now = (): number => targets.clock() / 1_000
  let levelAt = Number.NEGATIVE_INFINITY
  options.onAside()
  try {
    for (let failures = 0; !signal.aborted; ) {
      try {
        const messages = gate.admitted(await consumer.poll({ maxMessages, waitMs }))
        if (messages.length > 0) {
          const started = performance.now()
          if (!(await keepAll(targets, topics, gate.keptAs, messages, options))) return
          gate.passed(messages)
          await consumer.commit(gate.positionsBehind(messages)).catch((error: unknown) => {
            // The partition is another's by now: it goes on from what is kept.
            if (!(error instanceof StoreFailed)) throw error
            log.warn(`offsets were not committed: ${error.message}`, error)
          })
          observe.flushed((performance.now() - started) / 1_000)
        }
        if (now() - levelAt >= levelEveryMs) {
          levelAt = now()
          await gate.measure(consumer, observe.behind)
          await gate.retryRefused((position) => consumer.seek(position))
        }
        failures = 0
      } catch (error) {
        if (!(error instanceof StoreFailed)) throw error
        log.warn(`the stream is waiting: ${error.message}`, error)
        await pause(retryAfterMs[Math.min(failures, retryAfterMs.length - 1)] ?? 0)
        failures += 1
      }
    }
  } finally {
    await consumer.close()
  }
}

interface ConsumedSource {
  readonly source: EventSource
  readonly accept: AcceptEvent
  /** An event of so long ago is in no window of a streamed view. */
  readonly reachMicros: Micros
}

function consumedTopics({ eventSources, views }: Pick<Registry, 'eventSources' | 'views'>) {
  const topics = new Map<string, readonly ConsumedSource[]>()
  for (const source of eventSources) {
    if (source.topic === null) continue
    const one = { source, accept: eventAcceptor(source), reachMicros: longestReach(source, views) }
    topics.set(source.topic, [...(topics.get(source.topic) ?? []), one])
  }
  return topics
}

/** False when the signal aborted before all was kept; tried again until it is. */
async function keepAll(
  targets: ConsumeTargets,
  topics: ReadonlyMap<string, readonly ConsumedSource[]>,
  keptAs: (topic: string) => string,
  messages: readonly StreamMessage[],
  { signal, pause, log, observe, onAside }: ConsumeEventsOptions,
): Promise<boolean> {
  // One moment for all tries: an event counts from when it was kept the first time.
  const now = targets.clock()
  for (let tries = 0; !signal.aborted; tries += 1) {
    try {
      for (const [topic, sources] of topics) {
        const own = messages.filter((message) => message.topic === topic)
        if (own.length === 0) continue
        for (const one of sources) {
          const counts = await keepTopic(targets, one, keptAs(topic), own, now)
          observe.decided(one.source, counts)
          if (counts.aside > 0) onAside()
        }
      }
      return true
    } catch (error) {
      if (!(error instanceof StoreFailed)) throw error
      log.warn(`events could not be kept: ${error.message}; trying again`, error)
      await pause(retryAfterMs[Math.min(tries, retryAfterMs.length - 1)] ?? 0)
    }
  }
  return false
}

async function keepTopic(
  { events }: ConsumeTargets,
  { source, accept, reachMicros }: ConsumedSource,
  topic: string,
  messages: readonly StreamMessage[],
  now: Micros,
): Promise<{ readonly kept: number; readonly late: number; readonly aside: number }> {
  const toKeep: DecidedEvent[] = []
  const aside: MessageAside[] = []
  for (const { partition, offset, key, value } of messages) {
    const read = readJsonLine(value)
    const verdict = read === null ? invalid(notJson) : accept(read.json, now)
    const { violations } = verdict
    if (verdict.status === 'ACCEPTED') toKeep.push({ ...verdict.event, partition, offset, violations })
    else {
      const { event, content, message: reason } = verdict
      aside.push({ partition, offset, key, value, event, content, reason, violations })
    }
  }
  const outcomes = await events.keep(source, topic, { events: toKeep, aside }, now)
  const kept = toKeep.filter((_, index) => outcomes.events[index] === 'KEPT')
  return {
    kept: kept.length,
    late: kept.filter(({ eventTimestamp }) => eventTimestamp < now - reachMicros).length,
    aside: outcomes.aside.filter((outcome) => outcome === 'PUT_ASIDE').length,
  }
}
