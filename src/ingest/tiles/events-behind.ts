import type { EventSource } from '../../registry/registry.ts'
import type { EventPositions } from '../../stores/event-positions.ts'
import type { OnlineMarkers } from '../../stores/online-markers.ts'
import { streamMarkerName, streamPosition } from './tile-marker.ts'

interface BehindStores {
  readonly events: Pick<EventPositions, 'positions'>
  readonly online: Pick<OnlineMarkers, 'readMarker'>
}

/**
 * How many places of the stored log lie beyond what is applied to one generation of tiles; at least as many as there are
 * events there. One round trip a partition. Rejects with `StoreFailed`.
 */
export async function eventsBehind(
  { events, online }: BehindStores,
  source: EventSource,
  tilePrefix: string,
): Promise<number> {
  let behind = 0
  for (const partition of await events.positions(source)) {
    const marker = await online.readMarker(streamMarkerName(tilePrefix, partition))
    behind += Math.max(0, partition.nextOffset - (marker === null ? 0 : streamPosition(marker)))
  }
  return behind
}
