import { formatTimestamp, type Micros } from '../definitions/timestamp.ts'
import { StoreFailed } from '../errors.ts'
import { openEventStream } from '../gateway/run-stream.ts'
import { systemClock } from '../gateway/system-clock.ts'
import { generationsOf } from '../ingest/tiles/tile-generation.ts'
import type { EventSource } from '../registry/registry.ts'
import { jsonText } from './json-text.ts'
import { textTable } from './text-table.ts'
import { type CommandWorld, withStores } from './with-stores.ts'

/**
 * `featuregraph stream status`: per streaming view which tiles are read and how far they are behind, and per partition how
 * far it is stored and how many messages the stream has beyond. A transaction that no consumer has read yet counts with its
 * marker; one that was read does not, since the stored position passes the marker.
 */
export async function streamStatus({ json = false }: { readonly json?: boolean }): Promise<void> {
  await withStores('UNUSED', async (world) => {
    const views = await tileStates(world)
    const partitions = await partitionStates(world)
    if (json)
      process.stdout.write(jsonText({ views: views.map(withTimes), partitions: partitions.map(withTimes) }))
    else process.stdout.write(`${viewTable(views)}\n${partitionTable(partitions)}`)
  })
}

interface TileState {
  readonly view: string
  readonly source: string
  /** The one that is read, and the one that is being built; null: there is none. */
  readonly generation: number | null
  readonly building: number | null
  readonly caughtUpUntil: Micros | null
  readonly secondsBehind: number | null
}

interface PartitionState {
  readonly source: string
  readonly topic: string
  readonly partition: number
  /** Where the next event will stand. */
  readonly storedUpTo: number
  /** In the stream, beyond what is stored; null: of no stream, or it does not answer. */
  readonly messagesBehind: number | null
  readonly caughtUpUntil: Micros | null
}

async function tileStates({ registry, stores, layouts }: CommandWorld): Promise<readonly TileState[]> {
  const now = systemClock()
  const known = await stores.generations.list()
  return registry.views.flatMap((view) => {
    if (view.kind !== 'STREAM' || !view.online) return []
    const own = generationsOf(layouts, view, known)
    const live = own.find(({ state }) => state === 'LIVE')
    const caughtUpUntil = live?.watermark ?? null
    return [
      {
        ...{ view: view.name, source: view.events.name, generation: live?.generation ?? null },
        building: own.find(({ state }) => state === 'BUILDING')?.generation ?? null,
        caughtUpUntil,
        secondsBehind: caughtUpUntil === null ? null : Math.max(0, now - caughtUpUntil) / 1_000_000,
      },
    ]
  })
}

async function partitionStates(world: CommandWorld): Promise<readonly PartitionState[]> {
  const { registry, stores } = world
  const ends = await streamEnds(world)
  const partitions: PartitionState[] = []
  for (const source of registry.eventSources.filter(({ table }) => table === null)) {
    for (const position of await stores.events.positions(source)) {
      const { topic, partition, nextOffset, isStreamed, watermark } = position
      // Of a file all is stored at once.
      if (topic.startsWith('file:')) continue
      const end = isStreamed ? ends.get(`${source.topic}/${partition}`) : undefined
      const messagesBehind = end === undefined ? null : Math.max(0, end - nextOffset)
      const place = { source: source.name, topic, partition, storedUpTo: nextOffset }
      partitions.push({ ...place, messagesBehind, caughtUpUntil: watermark })
    }
  }
  return partitions
}

function withTimes<State extends { readonly caughtUpUntil: Micros | null }>(state: State): object {
  const { caughtUpUntil } = state
  return { ...state, caughtUpUntil: caughtUpUntil === null ? null : formatTimestamp(caughtUpUntil) }
}

function viewTable(views: readonly TileState[]): string {
  const rows = views.map(({ view, source, generation, building, secondsBehind }) => {
    const tiles = [
      generation === null ? 'no tiles yet' : `generation ${generation}`,
      ...(building === null ? [] : [`building ${building}`]),
    ]
    return [view, source, tiles.join(', '), secondsBehind?.toFixed(1) ?? '-']
  })
  return textTable([['VIEW', 'SOURCE', 'TILES', 'SECONDS BEHIND'], ...rows])
}

function partitionTable(partitions: readonly PartitionState[]): string {
  const rows = partitions.map(({ source, topic, partition, storedUpTo, messagesBehind, caughtUpUntil }) => [
    ...[source, `${topic}/${partition}`, String(storedUpTo), String(messagesBehind ?? '-')],
    caughtUpUntil === null ? '-' : formatTimestamp(caughtUpUntil),
  ])
  const head = ['SOURCE', 'PARTITION', 'STORED UP TO', 'MESSAGES BEHIND', 'CAUGHT UP UNTIL']
  return textTable([head, ...rows])
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
