import type { Clock, Micros } from '../definitions/timestamp.ts'
import { StoreFailed } from '../errors.ts'
import type { EventSource } from '../registry/registry.ts'
import type { EventStore } from '../stores/event-store.ts'
import type { EventStream, StreamMessage } from '../stores/event-stream.ts'
import type { QuarantinedRow, ViolationStore } from '../stores/violation-store.ts'
import { type AcceptEvent, eventAcceptor, invalid, type RefusedEvent } from './accept-event.ts'
import { notJson, readJsonLine } from './read-json-line.ts'

export interface ConsumeTargets {
  readonly events: Pick<EventStore, 'keep' | 'deletedEvents'>
  readonly stream: EventStream
  readonly violations: Pick<ViolationStore, 'record'>
  readonly clock: Clock
}

export interface ConsumeEventsOptions {
  /** Consumers of one group share the partitions. */
  readonly group: string
  readonly signal: AbortSignal
  /** Resolves early when the signal aborts. */
  readonly pause: (ms: number) => Promise<unknown>
  /** Told after each batch. */
  readonly onKept: (kept: number, refused: number) => void
  readonly log: {
    readonly info: (line: string) => void
    readonly warn: (line: string, error: unknown) => void
  }
}

const maxMessages = 5_000
const waitMs = 250
const retryAfterMs = [100, 400, 1_600, 5_000]

interface ConsumedSource {
  readonly source: EventSource
  readonly accept: AcceptEvent
}

/**
 * Keeps what the topics of event sources bring, until the signal aborts: a batch is kept in one transaction a topic, what
 * cannot be kept is quarantined with the reason and the message, and only then are the offsets committed. So a message may
 * come twice, after a crash or a rebalance, and is kept once, by its place. A store that does not answer is waited for
 * while nothing else is polled.
 */
export async function consumeEvents(
  targets: ConsumeTargets,
  sources: readonly EventSource[],
  options: ConsumeEventsOptions,
): Promise<void> {
  const { group, signal, log } = options
  const consumed = new Map<string, ConsumedSource[]>()
  for (const source of sources) {
    if (source.topic === null) continue
    const others = consumed.get(source.topic) ?? []
    consumed.set(source.topic, [...others, { source, accept: eventAcceptor(source) }])
  }
  if (consumed.size === 0) return
  const consumer = targets.stream.consume({
    group,
    topics: [...consumed.keys()],
    onAssigned: async (partitions) => log.info(`assigned ${partitions.map(named).join(', ')}`),
    // Nothing is held back between polls: what was polled has been kept and committed.
    onRevoked: async (partitions) => log.info(`given up ${partitions.map(named).join(', ')}`),
    onLost: (partitions) => log.info(`lost ${partitions.map(named).join(', ')}`),
    onError: (error) => log.warn(error.message, error),
  })
  try {
    while (!signal.aborted) {
      const messages = await consumer.poll({ maxMessages, waitMs })
      if (messages.length === 0) continue
      const done = await keepAll(targets, consumed, messages, options)
      if (!done) return
      await consumer.commit(positionsBehind(messages)).catch((error: unknown) => {
        // The partition is another's by now: it reads the messages again, and keeps none of them twice.
        if (!(error instanceof StoreFailed)) throw error
        log.warn(`offsets were not committed: ${error.message}`, error)
      })
    }
  } finally {
    await consumer.close()
  }
}

function named({ topic, partition }: { readonly topic: string; readonly partition: number }): string {
  return `${topic}/${partition}`
}

function positionsBehind(messages: readonly StreamMessage[]) {
  const next = new Map<string, { topic: string; partition: number; offset: number }>()
  for (const { topic, partition, offset } of messages)
    next.set(named({ topic, partition }), { topic, partition, offset: offset + 1 })
  return [...next.values()]
}

/** False when the signal aborted before all was kept; tried again until it is. */
async function keepAll(
  targets: ConsumeTargets,
  consumed: ReadonlyMap<string, readonly ConsumedSource[]>,
  messages: readonly StreamMessage[],
  { signal, pause, log, onKept }: ConsumeEventsOptions,
): Promise<boolean> {
  // One moment for all tries: an event counts from when it was kept the first time.
  const now = targets.clock()
  for (let tries = 0; !signal.aborted; tries += 1) {
    try {
      for (const [topic, sources] of consumed) {
        const own = messages.filter((message) => message.topic === topic)
        if (own.length === 0) continue
        for (const one of sources) {
          const { kept, refused } = await keepTopic(targets, one, topic, own, now)
          onKept(kept, refused)
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
  { events, violations }: ConsumeTargets,
  { source, accept }: ConsumedSource,
  topic: string,
  messages: readonly StreamMessage[],
  now: Micros,
): Promise<{ readonly kept: number; readonly refused: number }> {
  const verdicts = messages.map((message) => {
    const read = readJsonLine(message.value)
    return { message, verdict: read === null ? invalid(notJson) : accept(read.json, now) }
  })
  const accepted = verdicts.flatMap(({ message: { partition, offset }, verdict }) =>
    verdict.status === 'ACCEPTED'
      ? [{ event: { ...verdict.event, partition, offset }, violations: verdict.violations }]
      : [],
  )
  const refused = verdicts.flatMap(({ message, verdict }) =>
    verdict.status === 'REFUSED' ? [{ message, verdict }] : [],
  )
  const outcomes =
    accepted.length === 0
      ? []
      : await events.keep(
          source,
          topic,
          accepted.map(({ event }) => event),
          now,
        )
  // What came again was told of the first time.
  const warned = accepted.flatMap(({ violations: broken }, index) => {
    const outcome = outcomes[index]
    return outcome?.status === 'KEPT' && outcome.keptAt === now ? broken : []
  })
  const told = await withoutDeleted(events, source, refused)
  await violations.record(
    [...warned, ...told.flatMap(({ verdict }) => verdict.violations)],
    told.map(({ message, verdict }) => quarantinedMessage(source, message, verdict, now)),
  )
  return { kept: accepted.length, refused: refused.length }
}

interface RefusedMessage {
  readonly message: StreamMessage
  readonly verdict: RefusedEvent
}

/** Nothing is told of a deleted entity; of what does not fit nobody knows whose it is. */
async function withoutDeleted(
  events: ConsumeTargets['events'],
  source: EventSource,
  refused: readonly RefusedMessage[],
): Promise<readonly RefusedMessage[]> {
  const known = refused.flatMap(({ verdict: { event } }) => (event === null ? [] : [event]))
  if (known.length === 0) return refused
  const flags = await events.deletedEvents(source, known)
  const deleted = new Set(known.filter((_, index) => flags[index]))
  return refused.filter(({ verdict: { event } }) => event === null || !deleted.has(event))
}

/** As the rule that refused it would have it kept, else the message as it came; with its place. */
function quarantinedMessage(
  { name }: EventSource,
  { topic, partition, offset, value }: StreamMessage,
  { quarantine, message }: RefusedEvent,
  recordedAt: Micros,
): QuarantinedRow {
  const content = quarantine?.content ?? { message: value.toString('base64') }
  return {
    view: name,
    content: { ...asObject(content), topic, partition, offset },
    reason: quarantine?.reason ?? message,
    recordedAt,
  }
}

function asObject(content: unknown): object {
  return typeof content === 'object' && content !== null ? content : { content }
}
