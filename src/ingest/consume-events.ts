import type { Clock, Micros } from '../definitions/timestamp.ts'
import { StoreFailed } from '../errors.ts'
import type { EventSource } from '../registry/registry.ts'
import type { EventStore, EventToKeep } from '../stores/event-store.ts'
import type { EventStream, StreamMessage } from '../stores/event-stream.ts'
import type { QuarantinedRow, Violation, ViolationStore } from '../stores/violation-store.ts'
import { type AcceptEvent, eventAcceptor } from './accept-event.ts'
import { notJson, readJsonLine } from './read-json-line.ts'

export interface ConsumeTargets {
  readonly events: Pick<EventStore, 'keep'>
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
  const toKeep: EventToKeep[] = []
  const warnings: (readonly Violation[])[] = []
  const told: Violation[] = []
  const quarantined: QuarantinedRow[] = []
  for (const { partition, offset, value } of messages) {
    const read = readJsonLine(value)
    const verdict = read === null ? null : accept(read.json, now)
    if (verdict?.status === 'ACCEPTED') {
      toKeep.push({ ...verdict.event, partition, offset })
      warnings.push(verdict.violations)
      continue
    }
    if (verdict !== null) told.push(...verdict.violations)
    const reason = verdict?.quarantine?.reason ?? verdict?.message ?? notJson
    const content = verdict?.quarantine?.content ?? { message: value.toString('base64') }
    quarantined.push({
      view: source.name,
      content: { ...asObject(content), topic, partition, offset },
      reason,
      recordedAt: now,
    })
  }
  const outcomes = toKeep.length === 0 ? [] : await events.keep(source, topic, toKeep, now)
  outcomes.forEach((outcome, index) => {
    // What came again was told of the first time.
    if (outcome.status === 'KEPT' && outcome.keptAt === now) told.push(...(warnings[index] ?? []))
  })
  await violations.record(told, quarantined)
  return { kept: toKeep.length, refused: quarantined.length }
}

function asObject(content: unknown): object {
  return typeof content === 'object' && content !== null ? content : { content }
}
