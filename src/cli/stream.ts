import { followedSources } from '../ingest/follow-events.ts'
import { openFollower } from '../open-follower.ts'
import { systemClock } from '../server.ts'
import { withStores } from './with-stores.ts'

/** `featuregraph stream`: until SIGTERM or SIGINT, then to the end of the batch under way; a second signal ends it at once. */
export async function stream({ once = false }: { readonly once?: boolean }): Promise<void> {
  const stopping = new AbortController()
  const stop = (signal: string): void => {
    if (stopping.signal.aborted) process.exit(1)
    process.stderr.write(`${signal}: finishing the batch under way\n`)
    stopping.abort()
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  await withStores(async ({ registry, stores, layouts, log }) => {
    const sources = [...followedSources(registry.views)]
    for (const [source, views] of sources)
      log.info(`following ${source.name} for ${views.map(({ name }) => name).join(', ')}`)
    if (sources.length === 0) log.info('no feature view is streamed and online; there is nothing to do')
    const world = { registry, stores, layouts, log, clock: systemClock }
    await openFollower(world, { once, signal: stopping.signal })
  })
}
