import type { Clock, Micros } from '../../definitions/timestamp.ts'
import { StoreFailed } from '../../errors.ts'
import type { EventSource, Registry } from '../../registry/registry.ts'
import type { AcceptedEvent, DeadLetteredMessage } from '../../stores/event-log.ts'
import type { EventStore } from '../../stores/event-store.ts'
import {
  type EventStream,
  positionsBehind,
  type StreamMessage,
  type StreamPosition,
} from '../../stores/event-stream.ts'
import { type AcceptEvent, eventAcceptor, invalid } from '../accept/accept-event.ts'
import { readJsonLine } from '../accept/read-json-line.ts'
import { retryPauseMs } from '../retry.ts'
import type { RunLog } from '../run-log.ts'
import type { StreamObserver } from '../stream-observer.ts'
import { longestReach } from '../tiles/followed-sources.ts'
import { topicGate } from './topic-gate.ts'

export interface ConsumeTargets {
  readonly events: Pick<EventStore, 'now' | 'storeMessages' | 'openTopic' | 'positions' | 'recordWatermarks'>
  readonly stream: EventStream
  readonly clock: Clock
}

export interface ConsumeEventsOptions {
  /** Consumers of one group share the partitions. */
  readonly group: string
  readonly signal: AbortSignal
  /** Resolves early when the signal aborts. */
  readonly pause: (ms: number) => Promise<unknown>
  readonly observe: Pick<StreamObserver, 'processed' | 'behind' | 'flushed'>
  /** Called after each batch that something was dead-lettered, and once at the beginning. */
  readonly onDeadLetter: () => void
  readonly log: RunLog
}

const maxMessages = 5_000
const waitMs = 250
const watermarkEveryMs = 500
const staleMicros: Micros = 1_000_000

/**
 * Stores what the topics of event sources bring, until the signal aborts: a batch is stored in one transaction a source,
 * what is no event is dead-lettered with it, and only then are the offsets committed, for operators. The position is
 * Postgres': a consumer goes on from there, so that a crash, a rebalance or a group that was set back changes nothing.
 * While a batch is on its way to Postgres the next one is polled and judged, no more than that: a store that does not
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
  /** The batch on its way; false: the signal aborted before it was stored. */
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

  async function storeAndCommit(
    messages: readonly StreamMessage[],
    judged: readonly Judged[],
    judgedAt: Micros,
  ): Promise<boolean> {
    const started = performance.now()
    const judge = () => judgeAll(targets, topics, gate.storedAs, messages)
    // What waited for long behind the batch before it counts from now.
    const isStale = targets.clock() - judgedAt > staleMicros
    if (!(await storeAll(targets, isStale ? null : judged, judge, options))) return false
    gate.passed(messages)
    consumer.commit(positionsBehind(messages))
    observe.flushed((performance.now() - started) / 1_000)
    return true
  }

  const now = (): number => targets.clock() / 1_000
  let watermark = Number.NEGATIVE_INFINITY
  /** Those that Postgres' clock is still to be asked for. */
  let polled: readonly StreamMessage[] = []
  options.onDeadLetter()
  try {
    for (let failures = 0; !signal.aborted; ) {
      try {
        if (polled.length === 0) polled = gate.admitted(await consumer.poll({ maxMessages, waitMs }))
        const judgedAt = targets.clock()
        const judged = await judgeAll(targets, topics, gate.storedAs, polled)
        if (!(await flight)) return
        if (polled.length > 0) {
          flight = storeAndCommit(polled, judged, judgedAt)
          polled = []
          // The caller that  it hears of its failure; before that it must not end the process.
          flight.catch(() => {})
        }
        // Either way: a clock that was set back must not stop it.
        if (Math.abs(now() - watermark) >= watermarkEveryMs) {
          watermark = now()
          await gate.measure(consumer, observe.behind)
          await gate.checkAgain(readFrom)
        }
        failures = 0
      } catch (error) {
        if (!(error instanceof StoreFailed)) throw error
        log.warn(`the stream is waiting: ${error.message}`, error)
        await pause(retryPauseMs(failures))
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
  /** An event of so long ago is in no window of a streaming view. */
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
interface Judged {
  readonly one: ConsumedSource
  /** Under which they are stored. */
  readonly topic: string
  readonly at: Micros
  readonly events: readonly AcceptedEvent[]
  readonly deadLetters: readonly DeadLetteredMessage[]
}

async function judgeAll(
  { events }: ConsumeTargets,
  topics: ReadonlyMap<string, readonly ConsumedSource[]>,
  storedAs: (topic: string) => string,
  messages: readonly StreamMessage[],
): Promise<readonly Judged[]> {
  if (messages.length === 0) return []
  const at = await events.now()
  return [...topics].flatMap(([topic, sources]) => {
    const own = topics.size === 1 ? messages : messages.filter((message) => message.topic === topic)
    if (own.length === 0) return []
    return sources.map((one) => ({ one, topic: storedAs(topic), at, ...judge(one, own, at) }))
  })
}

function judge({ accept }: ConsumedSource, messages: readonly StreamMessage[], at: Micros) {
  const events: AcceptedEvent[] = []
  const deadLetters: DeadLetteredMessage[] = []
  for (const { partition, offset, key, value } of messages) {
    const read = readJsonLine(value)
    const verdict = 'unreadable' in read ? invalid(read.unreadable) : accept(read.json, at)
    const { violations } = verdict
    if (verdict.status === 'ACCEPTED') {
      // One shape for all of them: a spread would cost more than reading the message.
      const { eventTimestamp, eventId, values } = verdict.event
      events.push({ partition, offset, eventTimestamp, eventId, values, violations })
    } else {
      const { event, content, message: reason } = verdict
      deadLetters.push({ partition, offset, key, value, event, content, reason, violations })
    }
  }
  return { events, deadLetters }
}

/** False when the signal aborted before all was stored; judged again (null: first) and tried again until it is. */
async function storeAll(
  { events }: ConsumeTargets,
  judged: readonly Judged[] | null,
  judgeAgain: () => Promise<readonly Judged[]>,
  { signal, pause, log, observe, onDeadLetter }: ConsumeEventsOptions,
): Promise<boolean> {
  let left = judged
  for (let tries = 0; !signal.aborted; tries += 1) {
    try {
      left ??= await judgeAgain()
      for (const { one, topic, at, ...messages } of left) {
        const outcomes = await events.storeMessages(one.source, topic, messages, at)
        const stored = messages.events.filter((_, index) => outcomes.events[index] === 'STORED')
        const deadLetters = outcomes.deadLetters.filter((outcome) => outcome === 'DEAD_LETTERED').length
        const late = stored.filter(({ eventTimestamp }) => eventTimestamp < at - one.reachMicros).length
        observe.processed(one.source, { stored: stored.length, late, deadLetters })
        if (deadLetters > 0) onDeadLetter()
      }
      return true
    } catch (error) {
      if (!(error instanceof StoreFailed)) throw error
      log.warn(`events could not be stored: ${error.message}; trying again`, error)
      await pause(retryPauseMs(tries))
      // They count from when they are stored, which may be much later than when they came.
      left = null
    }
  }
  return false
}
