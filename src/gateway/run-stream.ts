import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Config } from '../config/config.ts'
import type { Clock } from '../definitions/timestamp.ts'
import { consumeEvents } from '../ingest/stream/consume-events.ts'
import { deadLetterPublisher } from '../ingest/stream/publish-dead-letters.ts'
import type { StreamObserver } from '../ingest/stream-observer.ts'
import { followEvents } from '../ingest/tiles/follow-events.ts'
import { rememberingEventStore } from '../ingest/tiles/recent-events.ts'
import type { RowLayouts } from '../online/row-layouts.ts'
import type { Registry } from '../registry/registry.ts'
import type { EventStream } from '../stores/event-stream.ts'
import { parseKafkaUrl } from '../stores/kafka/kafka-url.ts'
import type { Stores } from './open-stores.ts'

export interface StreamWorld {
  readonly config: Pick<Config, 'project' | 'streamUrl'>
  readonly registry: Registry
  readonly stores: Stores
  readonly layouts: RowLayouts
  readonly observe: StreamObserver
  readonly clock: Clock
  readonly log: Logger
}

export interface StreamOptions {
  /** Applies what is stored, then ends; topics are not read. */
  readonly once: boolean
  readonly signal: AbortSignal
}

/**
 * What the settings name; null: events come by import and over HTTP only. To be closed. The client is loaded only here: it
 * takes 50 MB. @throws InvalidConfig
 */
export async function openEventStream({ streamUrl }: Pick<Config, 'streamUrl'>): Promise<EventStream | null> {
  if (streamUrl === null) return null
  const { kafkaEventStream } = await import('../stores/kafka/event-stream.ts')
  return kafkaEventStream(parseKafkaUrl(streamUrl, 'FEATUREGRAPH_STREAM_URL'))
}

/** Stored events are remembered for the follower in the same process. */
const rememberedBytes = 64 * 1_048_576

/**
 * Events from the topics of the sources, where there is a stream, and from the stored events into the tiles of streaming
 * views, until the signal aborts. One that fails takes the other with it, so that the caller is notified.
 */
export async function openStream(world: StreamWorld, { once, signal }: StreamOptions): Promise<void> {
  const { config, registry, stores, layouts, observe, clock, log } = world
  const hasTopics = registry.eventSources.some(({ topic }) => topic !== null)
  const stream = once || !hasTopics ? null : await openEventStream(config)
  const events = rememberingEventStore(stores.events, rememberedBytes)
  const targets = { ...stores, ...layouts, events, clock }
  const stopping = new AbortController()
  const stop = (): void => stopping.abort()
  signal.addEventListener('abort', stop)
  if (signal.aborted) stop()
  const host = {
    signal: stopping.signal,
    pause: (ms: number): Promise<unknown> =>
      sleep(ms, undefined, { signal: stopping.signal }).catch(() => {}),
    observe,
    log: {
      info: (line: string): void => log.info(line),
      warn: (line: string, error: unknown): void => log.warn({ err: error }, line),
    },
  }
  const follow = followEvents(targets, registry.views, { once, ...host })
  try {
    if (stream === null) return await follow
    const publish = deadLetterPublisher({ ...stores, stream }, registry.eventSources, host.log)
    let publishing: Promise<void> = Promise.resolve()
    const consume = consumeEvents({ events, stream, clock }, registry, {
      group: `featuregraph-${config.project}`,
      onDeadLetter: () => {
        publishing = publish()
      },
      ...host,
    })
    try {
      await Promise.race([follow, consume])
      stop()
      await Promise.all([follow, consume])
    } finally {
      stop()
      await Promise.allSettled([follow, consume, publishing])
      await stream.close()
    }
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
