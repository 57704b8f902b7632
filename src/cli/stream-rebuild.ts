import { setTimeout as sleep } from 'node:timers/promises'
import { Registry as MetricsRegistry } from 'prom-client'
import { openEventStream, openStream } from '../gateway/run-stream.ts'
import { systemClock } from '../gateway/system-clock.ts'
import { rebuildTiles, tiledView } from '../ingest/tiles/rebuild-tiles.ts'
import { streamMetrics } from '../server/stream-metrics.ts'
import { namedViews } from './named-views.ts'
import { stopSignal } from './stop-signal.ts'
import { withStores } from './with-stores.ts'

/** `featuregraph stream rebuild <view>`: until the new tiles are read. It applies events itself if nobody else does. */
export async function rebuildView(name: string): Promise<void> {
  const { signal } = stopSignal('the round under way')
  await withStores('WRITTEN', async ({ config, registry, stores, layouts, log, checkTables }) => {
    const report = (line: string) => process.stderr.write(`${name}: ${line}\n`)
    const views = namedViews(registry, [name]).map(tiledView)
    await checkTables()
    const stream = await openEventStream(config)
    const observe = streamMetrics(new MetricsRegistry(), systemClock)
    const world = { config, registry, stores, layouts, observe, log, clock: systemClock }
    try {
      for (const view of views) {
        await rebuildTiles(
          { ...stores, ...layouts, eventSources: registry.eventSources, stream, clock: systemClock },
          view,
          {
            follow: () => openStream(world, { once: true, signal }),
            pause: (ms) => sleep(ms, undefined, { signal }).catch(() => {}),
            signal,
            onWait: () => report('another rebuild is under way; waiting for its end'),
            onAdopted: (topic) => report(`the topic "${topic}" is taken as a new one from now on`),
            onLive: (generation) =>
              process.stdout.write(`${name}: read from generation ${generation} of its tiles now\n`),
          },
        )
      }
    } finally {
      await stream?.close()
    }
  })
}
