import type { Clock } from '../../definitions/timestamp.ts'
import type { StreamView } from '../../registry/registry.ts'
import type { EventStore } from '../../stores/event-store.ts'
import type { OnlineMarkers } from '../../stores/online-markers.ts'
import type { TileGenerations } from '../../stores/tile-generations.ts'
import type { TilePlaces } from '../tiles/tile-generation.ts'
import { streamMarker, streamMarkerName, streamPosition } from '../tiles/tile-marker.ts'
import type { DeletionScope } from './deletion-scope.ts'

export interface TileMarkerTargets extends Pick<TilePlaces, 'tiledView' | 'tilePrefix'> {
  readonly online: Pick<OnlineMarkers, 'readMarker' | 'writeMarker'>
  readonly generations: Pick<TileGenerations, 'list'>
  readonly events: Pick<EventStore, 'now' | 'positions'>
  readonly clock: Clock
}

/** How far the events of a streaming view were stored at one moment. */
interface StoredUntil {
  readonly view: StreamView
  /** By the name of the partition. */
  readonly offsets: ReadonlyMap<string, number>
}

/** Of the streaming views that may have tiles of the entity. */
export async function storedUntil(
  { events }: Pick<TileMarkerTargets, 'events'>,
  { views }: DeletionScope,
): Promise<readonly StoredUntil[]> {
  const found: StoredUntil[] = []
  for (const view of views) {
    if (view.kind !== 'STREAM' || !view.online) continue
    const positions = await events.positions(view.events)
    found.push({
      view,
      offsets: new Map(positions.map((one) => [streamMarkerName('', one), one.nextOffset])),
    })
  }
  return found
}

/** Has the events applied again that were stored since then: those of other keys are in their tiles, and change nothing. */
export async function setMarkersBack(
  { events, online, generations, tiledView, tilePrefix, clock }: TileMarkerTargets,
  to: readonly StoredUntil[],
): Promise<void> {
  if (to.length === 0) return
  const known = await generations.list()
  for (const { view, offsets } of to) {
    const { viewId } = tiledView(view)
    const inUse = known.filter((one) => one.viewId === viewId && one.state !== 'RETIRED')
    for (const partition of await events.positions(view.events)) {
      const since = offsets.get(streamMarkerName('', partition)) ?? 0
      for (const one of inUse) {
        const name = streamMarkerName(tilePrefix(one, one.generation), partition)
        const marker = await online.readMarker(name)
        if (marker !== null && streamPosition(marker) > since)
          await online.writeMarker(name, streamMarker(since, clock()))
      }
    }
  }
}
