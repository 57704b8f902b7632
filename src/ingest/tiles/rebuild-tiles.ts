import type { Clock } from '../../definitions/timestamp.ts'
import { BadUserInput } from '../../errors.ts'
import type { EventSource, FeatureView, StreamView } from '../../registry/registry.ts'
import type { EventStore } from '../../stores/event-store.ts'
import type { EventStream } from '../../stores/event-stream.ts'
import type { RunStore } from '../../stores/run-store.ts'
import type { TileGenerations } from '../../stores/tile-generations.ts'
import { beginGeneration, generationsOf, type TilePlaces } from './tile-generation.ts'

interface RebuildTargets extends TilePlaces {
  readonly events: Pick<EventStore, 'now' | 'openTopic' | 'adoptTopic' | 'positions' | 'recordWatermarks'>
  /** Those of the registry. */
  readonly eventSources: readonly EventSource[]
  readonly generations: TileGenerations
  readonly runs: RunStore
  /** Null: events come without one. */
  readonly stream: Pick<EventStream, 'describe'> | null
  readonly clock: Clock
}

export interface RebuildOptions {
  /** Applies what there is to apply, if no other process is at it. */
  readonly follow: () => Promise<void>
  readonly pause: (ms: number) => Promise<unknown>
  readonly signal: AbortSignal
  /** Another rebuild of the view is waited for. */
  readonly onWait: () => void
  readonly onAdopted: (topic: string) => void
  readonly onLive: (generation: number) => void
}

const lookMs = 200

/** @throws BadUserInput for a view without tiles. */
export function tiledView(view: FeatureView): StreamView {
  if (view.kind === 'STREAM' && view.online) return view
  const how = view.kind === 'STREAM' ? 'is not online' : 'is not computed on the stream'
  throw new BadUserInput(`feature view "${view.name}" ${how}: it has no tiles to rebuild`)
}

/**
 * Makes a view's tiles again, from all stored events, beside those that are read meanwhile, and resolves when the new
 * ones are live. A topic of its events that was created again, or set back, is taken as a new one from here on. Recorded as a
 * run; stopped anywhere, who leads the stream goes on with it.
 * @throws StoreFailed
 */
export async function rebuildTiles(
  targets: RebuildTargets,
  view: StreamView,
  { follow, pause, signal, onWait, onAdopted, onLive }: RebuildOptions,
): Promise<void> {
  const { generations, runs, clock } = targets
  const subject = { kind: 'REBUILD', view: view.id, asOf: null } as const
  await runs.withRun(subject, { now: clock, onWait }, async () => {
    if (await adoptTopic(targets, view)) onAdopted(view.events.topic ?? '')
    const newest = async () => generationsOf(targets, view, await generations.list()).at(-1)
    const before = await generations.list()
    await beginGeneration(targets, view, before)
    const building = await newest()
    for (;;) {
      await follow()
      const all = generationsOf(targets, view, await generations.list())
      const own = all.find(({ generation }) => generation === building?.generation)
      if (own?.state !== 'BUILDING') break
      if (signal.aborted) {
        const error = 'stopped before the new tiles had caught up; the process that leads the stream goes on'
        return { result: undefined, outcome: { state: 'FAILED', rowsRead: null, rowsWritten: null, error } }
      }
      await pause(lookMs)
    }
    onLive(building?.generation ?? 0)
    const outcome = { state: 'SUCCEEDED', rowsRead: null, rowsWritten: null, error: null } as const
    return { result: undefined, outcome }
  })
}

/** Whether the topic was not the one whose events are stored any more. */
async function adoptTopic(
  { events, stream, eventSources }: RebuildTargets,
  { events: source }: StreamView,
): Promise<boolean> {
  const { topic: name } = source
  if (name === null || stream === null) return false
  // Before the topic's ends, which only grow: a consumer may be at work.
  const positions = await events.positions(source)
  const at = await events.now()
  const [found] = await stream.describe([name])
  if (!found) return false
  const storedAs = await events.openTopic(name, found.id)
  const isSetBack = positions.some(
    ({ topic, partition, nextOffset }) =>
      topic === storedAs && nextOffset > (found.partitions[partition]?.endOffset ?? 0),
  )
  if (storedAs !== null && !isSetBack) return false
  await events.adoptTopic(name, found.id)
  if (storedAs === null) return true
  // The same topic, which has lost its last messages: what it still has is stored.
  const adopted = await events.openTopic(name, found.id)
  const watermarks = found.partitions.map(({ endOffset }, partition) => ({
    partition,
    nextOffset: endOffset,
    at,
  }))
  for (const one of eventSources.filter(({ topic }) => topic === name))
    await events.recordWatermarks(
      one,
      watermarks.map((watermark) => ({ ...watermark, topic: adopted ?? name })),
    )
  return true
}
