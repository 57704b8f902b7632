import { setTimeout as sleep } from 'node:timers/promises'
import { consumeEvents } from '../ingest/consume-events.ts'
import { followedSources } from '../ingest/follow-events.ts'
import { openFollower } from '../open-follower.ts'
import { systemClock } from '../server.ts'
import { kafkaEventStream } from '../stores/kafka/kafka-event-stream.ts'
import { parseKafkaUrl } from '../stores/kafka/kafka-url.ts'
import { untilToldToStop } from './until-told-to-stop.ts'
import { withStores } from './with-stores.ts'

/**
 * `featuregraph stream`: events from the topics of the sources, where there is a stream, and from the kept events into the
 * tiles of streamed views; until SIGTERM or SIGINT, then to the end of the batch under way; a second signal ends it at
 * once.
 */
export async function stream({ once = false }: { readonly once?: boolean }): Promise<void> {
  const stopping = untilToldToStop('the batch under way')
  await withStores(async ({ config, registry, stores, layouts, log }) => {
    const sources = [...followedSources(registry.views)]
    for (const [source, views] of sources)
      log.info(`following ${source.name} for ${views.map(({ name }) => name).join(', ')}`)
    if (sources.length === 0) log.info('no feature view is streamed and online: no tiles are kept')
    const world = { registry, stores, layouts, log, clock: systemClock }
    const { signal } = stopping
    // One that fails takes the other with it, so that whoever runs the command hears of it.
    const follow = openFollower(world, { once, signal })
    const hasTopics = registry.eventSources.some(({ topic }) => topic !== null)
    if (once || !hasTopics || config.streamUrl === null) return await follow
    const stream = kafkaEventStream(parseKafkaUrl(config.streamUrl, 'FEATUREGRAPH_STREAM_URL'))
    const consume = consumeEvents({ ...stores, stream, clock: systemClock }, registry.eventSources, {
      group: `featuregraph-${config.project}`,
      signal,
      pause: (ms) => sleep(ms, undefined, { signal }).catch(() => {}),
      onKept: (kept, refused) => log.debug({ kept, refused }, 'events kept'),
      log: {
        info: (line) => log.info(line),
        warn: (line, error) => log.warn({ err: error }, line),
      },
    })
    try {
      await Promise.race([follow, consume])
      stopping.abort()
      await Promise.all([follow, consume])
    } finally {
      stopping.abort()
      await stream.close()
    }
  })
}
