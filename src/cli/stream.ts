import { collectDefaultMetrics, Registry as MetricsRegistry } from 'prom-client'
import { announceProcess } from '../gateway/announce-process.ts'
import { openStream } from '../gateway/run-stream.ts'
import { systemClock } from '../gateway/system-clock.ts'
import { followedSources } from '../ingest/tiles/followed-sources.ts'
import { streamMetrics } from '../server/stream-metrics.ts'
import { guardBeside } from './guard-beside.ts'
import { serveMetrics } from './metrics-server.ts'
import { apartWork } from './run-apart.ts'
import { stopSignal } from './stop-signal.ts'
import { withStores } from './with-stores.ts'

/**
 * `featuregraph stream`: events from the topics of the sources, where there is a stream, and from the stored events into the
 * tiles of streaming views; until SIGTERM or SIGINT, then to the end of the batch under way; a second signal ends it at
 * once.
 */
export async function stream({ once = false }: { readonly once?: boolean }): Promise<void> {
  const { signal } = stopSignal('the batch under way')
  await withStores('WRITTEN', async ({ config, registry, stores, layouts, log, makeTables }) => {
    await makeTables()
    const sources = [...followedSources(registry.views)]
    for (const [source, views] of sources)
      log.info(`following ${source.name} for ${views.map(({ name }) => name).join(', ')}`)
    if (sources.length === 0) log.info('no feature view is streamed and online: there are no tiles to write')
    const register = new MetricsRegistry()
    collectDefaultMetrics({ register })
    const metrics =
      config.metricsPort === null ? null : await serveMetrics(register, config.host, config.metricsPort)
    if (metrics) log.info(`metrics at ${metrics.url}/metrics`)
    const observe = streamMetrics(register, systemClock)
    const announced = await announceProcess(stores, {
      kind: 'stream',
      runs: once ? [] : ['stream'],
      registry,
      log,
    })
    const world = {
      ...{ config, registry, stores: announced.stores, layouts, observe, log },
      clock: systemClock,
    }
    const run = () => openStream(world, { once, signal })
    try {
      await (once ? run() : guardBeside(world, { signal, apart: apartWork }, run))
    } finally {
      await announced.leave()
      await metrics?.close()
    }
  })
}
