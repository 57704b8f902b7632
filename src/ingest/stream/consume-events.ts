import type { Clock, Micros } from '../../definitions/timestamp.ts'
import { StoreFailed } from '../../errors.ts'
import type { EventSource, Registry } from '../../registry/registry.ts'
import type { DecidedEvent, MessageAside } from '../../stores/event-log.ts'
import type { EventStore } from '../../stores/event-store.ts'
import {
  type EventStream,
  positionsBehind,
  type StreamMessage,
  type StreamPosition,
} from '../../stores/event-stream.ts'
import { type AcceptEvent, eventAcceptor, invalid } from '../accept/accept-event.ts'
import { notJson, readJsonLine } from '../accept/read-json-line.ts'
import type { RunLog } from '../run-log.ts'
import type { StreamObserver } from '../stream-observer.ts'
import { longestReach } from '../tiles/followed-sources.ts'
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
  readonly log: RunLog
}

const maxMessages = 5_000
const waitMs = 250
const levelEveryMs = 500
const staleMicros: Micros = 1_000_000
const retryAfterMs = [100, 400, 1_600, 5_000]

/**
 * Keeps what the topics of event sources bring, until the signal aborts: a batch is kept in one transaction a source, with
 * what is no event put aside, and only then are the offsets committed, for operators. What counts is where Postgres says that a
 * partition was decided: a consumer goes on from there, so that a crash, a rebalance or a group set back changes nothing.
 * While a batch is on its way to Postgres the next one is polled and decided, no more than that: a store that does not
 * answer is waited for.
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
  /** The batch on its way; false: the signal aborted before it was kept. */
  let flight: Promise<boolean> = Promise.resolve(true)
  const consumer = targets.stream.consume({
    group,
    topics: [...topics.keys()],
    onAssigned: (partitions) => gate.assigned(partitions, readFrom),
    onRevoked: async (partitions) => {
      await flight
      gate.gone(partitions)
    },
    onError: (error) => log.warn(error.message, error),
  })

  function readFrom(position: StreamPosition): void {
    consumer.seek(position)
    // Postgres may be ahead of what the group has committed, or behind it.
    consumer.commit([position])
  }

  async function keepAndCommit(
    messages: readonly StreamMessage[],
    decided: readonly Decided[],
  ): Promise<boolean> {
    const started = performance.now()
    const decide = (): readonly Decided[] => decideAll(targets, topics, gate.keptAs, messages)
    // What waited for long behind the batch before it counts from now.
    const isStale = targets.clock() - (decided[0]?.at ?? 0) > staleMicros
    if (!(await keepAll(targets, isStale ? decide() : decided, decide, options))) return false
    gate.passed(messages)
    consumer.commit(positionsBehind(messages))
    observe.flushed((performance.now() - started) / 1_000)
    return true
  }

  const now = (): number => targets.clock() / 1_000
  let levelAt = Number.NEGATIVE_INFINITY
  options.onAside()
  try {
    for (let failures = 0; !signal.aborted; ) {
      try {
        const messages = gate.admitted(await consumer.poll({ maxMessages, waitMs }))
        const decided = decideAll(targets, topics, gate.keptAs, messages)
        if (!(await flight)) return
        if (messages.length > 0) {
          flight = keepAndCommit(messages, decided)
          // Whoever awaits it hears of its failure; before that it must not end the process.
          flight.catch(() => {})
        }
        if (now() - levelAt >= levelEveryMs) {
          levelAt = now()
          await gate.measure(consumer, observe.behind)
          await gate.lookAgain(readFrom)
        }
        failures = 0
      } catch (error) {
        if (!(error instanceof StoreFailed)) throw error
        log.warn(`the stream is waiting: ${error.message}`, error)
        await pause(retryAfterMs[Math.min(failures, retryAfterMs.length - 1)] ?? 0)
        failures += 1
      }
    }
    await flight
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

/** Messages of a topic as one source sees them; from the moment `at` on its events count. */
interface Decided {
  readonly one: ConsumedSource
  /** Under which they are kept. */
  readonly topic: string
  readonly at: Micros
  readonly events: readonly DecidedEvent[]
  readonly aside: readonly MessageAside[]
}

function decideAll(
  { clock }: ConsumeTargets,
  topics: ReadonlyMap<string, readonly ConsumedSource[]>,
  keptAs: (topic: string) => string,
  messages: readonly StreamMessage[],
): readonly Decided[] {
  if (messages.length === 0) return []
  const at = clock()
  return [...topics].flatMap(([topic, sources]) => {
    const own = topics.size === 1 ? messages : messages.filter((message) => message.topic === topic)
    if (own.length === 0) return []
    return sources.map((one) => ({ one, topic: keptAs(topic), at, ...decide(one, own, at) }))
  })
}

function decide({ accept }: ConsumedSource, messages: readonly StreamMessage[], at: Micros) {
  const events: DecidedEvent[] = []
  const aside: MessageAside[] = []
  for (const { partition, offset, key, value } of messages) {
    const read = readJsonLine(value)
    const verdict = read === null ? invalid(notJson) : accept(read.json, at)
    const { violations } = verdict
    if (verdict.status === 'ACCEPTED') {
      // One shape for all of them: a spread would cost more than reading the message.
      const { eventTimestamp, eventId, values } = verdict.event
      events.push({ partition, offset, eventTimestamp, eventId, values, violations })
    } else {
      const { event, content, message: reason } = verdict
      aside.push({ partition, offset, key, value, event, content, reason, violations })
    }
  }
  return { events, aside }
}

/** False when the signal aborted before all was kept; decided anew and tried again until it is. */
async function keepAll(
  { events }: ConsumeTargets,
  decided: readonly Decided[],
  decideAgain: () => readonly Decided[],
  { signal, pause, log, observe, onAside }: ConsumeEventsOptions,
): Promise<boolean> {
  let left = decided
  for (let tries = 0; !signal.aborted; tries += 1) {
    try {
      for (const { one, topic, at, ...messages } of left) {
        const outcomes = await events.keep(one.source, topic, messages, at)
        const kept = messages.events.filter((_, index) => outcomes.events[index] === 'KEPT')
        const aside = outcomes.aside.filter((outcome) => outcome === 'PUT_ASIDE').length
        const late = kept.filter(({ eventTimestamp }) => eventTimestamp < at - one.reachMicros).length
        observe.decided(one.source, { kept: kept.length, late, aside })
        if (aside > 0) onAside()
      }
      return true
    } catch (error) {
      if (!(error instanceof StoreFailed)) throw error
      log.warn(`events could not be kept: ${error.message}; trying again`, error)
      await pause(retryAfterMs[Math.min(tries, retryAfterMs.length - 1)] ?? 0)
      // They count from when they are kept, which may be much later than when they came.
      left = decideAgain()
    }
  }
  return false
}
