import { collectDefaultMetrics, Registry as MetricsRegistry } from 'prom-client'
import { openStream } from '../gateway/run-stream.ts'
import { systemClock } from '../gateway/system-clock.ts'
import { followedSources } from '../ingest/tiles/followed-sources.ts'
import { serveMetrics } from '../server/metrics-server.ts'
import { streamMetrics } from '../server/stream-metrics.ts'
import { versionMetrics } from '../server/version-metrics.ts'
import { followRegistry } from './follow-registry.ts'
import { apartWork } from './run-apart.ts'
import { stopSignal } from './stop-signal.ts'
import { type CommandWorld, withStores } from './with-stores.ts'

/**
 * `featuregraph stream`: events from the topics of the sources, where there is a stream, and from the stored events into the
 * tiles of streaming views; until SIGTERM or SIGINT, then to the end of the batch under way; a second signal ends it at
 * once.
 */
export async function stream({ once = false }: { readonly once?: boolean }): Promise<void> {
  const { signal } = stopSignal('the batch under way')
  // Started beside a first gateway it waits for what that applies.
  const whenEmpty = once ? undefined : ({ kind: 'WAIT', signal } as const)
  const run = async (world: CommandWorld): Promise<void> => {
    const { config, log } = world
    await world.checkTables()
    const register = new MetricsRegistry()
    collectDefaultMetrics({ register })
    const answered = { contentType: register.contentType, text: () => register.metrics() }
    const metrics =
      config.metricsPort === null ? null : await serveMetrics(answered, config.host, config.metricsPort)
    if (metrics) log.info(`metrics at ${metrics.url}/metrics`)
    const observe = streamMetrics(register, systemClock)
    const onFollow = versionMetrics(register)
    const options = { kind: 'stream', once, signal, apart: apartWork, onFollow } as const
    try {
      await followRegistry(world, options, (work, until) => {
        const sources = [...followedSources(work.registry.views)]
        for (const [source, views] of sources)
          log.info(`following ${source.name} for ${views.map(({ name }) => name).join(', ')}`)
        if (sources.length === 0) log.info('no feature view is streamed and online: no tiles are kept')
        return openStream({ config, ...work, observe, log, clock: systemClock }, { once, signal: until })
      })
    } finally {
      await metrics?.close()
    }
  }
  await withStores('WRITTEN', run, whenEmpty)
}
