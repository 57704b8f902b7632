import { formatTimestamp, type Micros } from '../definitions/timestamp.ts'
import { StoreFailed } from '../errors.ts'
import { openEventStream } from '../gateway/run-stream.ts'
import { systemClock } from '../gateway/system-clock.ts'
import { generationsOf } from '../ingest/tiles/tile-generation.ts'
import type { EventSource } from '../registry/registry.ts'
import { textTable } from './text-table.ts'
import { type CommandWorld, withStores } from './with-stores.ts'

/**
 * `featuregraph stream status`: per streaming view which tiles are read and how far they are behind, and per partition how
 * far it is stored and how many messages the stream has beyond. A transaction that no consumer has read yet counts with its
 * marker; one that was read does not, since the stored position passes the marker.
 */
export async function streamStatus(): Promise<void> {
  await withStores('UNUSED', async (world) => {
    const { registry, stores, layouts } = world
    const now = systemClock()
    const known = await stores.generations.list()
    const views = registry.views.flatMap((view) => {
      if (view.kind !== 'STREAM' || !view.online) return []
      const own = generationsOf(layouts, view, known)
      const live = own.find(({ state }) => state === 'LIVE')
      const building = own.find(({ state }) => state === 'BUILDING')
      const state = [
        ...(live ? [`generation ${live.generation}`] : ['no tiles yet']),
        ...(building ? [`building ${building.generation}`] : []),
      ]
      return [[view.name, view.events.name, state.join(', '), behind(now, live?.watermark ?? null)]]
    })
    process.stdout.write(textTable([['VIEW', 'SOURCE', 'TILES', 'SECONDS BEHIND'], ...views]))
    const ends = await streamEnds(world)
    const partitions: string[][] = []
    for (const source of registry.eventSources.filter(({ table }) => table === null)) {
      for (const position of await stores.events.positions(source)) {
        const { topic, partition, nextOffset, isStreamed, watermark } = position
        // Of a file all is stored at once.
        if (topic.startsWith('file:')) continue
        const end = isStreamed ? ends.get(`${source.topic}/${partition}`) : undefined
        const left = end === undefined ? '-' : String(Math.max(0, end - nextOffset))
        const level = watermark === null ? '-' : formatTimestamp(watermark)
        partitions.push([source.name, `${topic}/${partition}`, String(nextOffset), left, level])
      }
    }
    const head = ['SOURCE', 'PARTITION', 'KEPT UP TO', 'MESSAGES BEHIND', 'LEVEL AT']
    process.stdout.write(`\n${textTable([head, ...partitions])}`)
  })
}

function behind(now: Micros, watermark: Micros | null): string {
  return watermark === null ? '-' : (Math.max(0, now - watermark) / 1_000_000).toFixed(1)
}

/** Where each partition of the sources' topics ends; nothing where there is no stream, or it does not answer. */
async function streamEnds({ config, registry, log }: CommandWorld): Promise<ReadonlyMap<string, number>> {
  const ends = new Map<string, number>()
  const stream = await openEventStream(config)
  if (stream === null) return ends
  try {
    const topics = topicsOf(registry.eventSources)
    const found = await stream.describe(topics)
    found.forEach((description, index) => {
      description?.partitions.forEach(({ endOffset }, partition) => {
        ends.set(`${topics[index]}/${partition}`, endOffset)
      })
    })
  } catch (error) {
    if (!(error instanceof StoreFailed)) throw error
    log.warn({ err: error }, 'the stream did not answer')
  } finally {
    await stream.close()
  }
  return ends
}

function topicsOf(sources: readonly EventSource[]): readonly string[] {
  return [...new Set(sources.flatMap(({ topic }) => (topic === null ? [] : [topic])))]
}
