import { z } from 'zod'
import type { Micros } from '../../definitions/timestamp.ts'

const marker = z.object({ nextOffset: z.number(), at: z.number() })

/** Under what name the position of a partition stands beside the tiles of a view. */
export function streamMarkerName(
  keyPrefix: string,
  { topicNumber, partition }: { readonly topicNumber: number; readonly partition: number },
): string {
  return `${keyPrefix} ${topicNumber} ${partition}`
}

/** A marker's text: another one for every moment. */
export function streamMarker(nextOffset: number, at: Micros): string {
  return JSON.stringify({ nextOffset, at })
}

/** Where to read on; 0 for a marker that is not understood. */
export function streamPosition(text: string): number {
  const parsed = marker.safeParse(JSON.parse(text))
  return parsed.success ? parsed.data.nextOffset : 0
}
