import { z } from 'zod'

const marker = z.object({ nextOffset: z.number(), at: z.number() })

/** Under what name the position of a partition stands beside the tiles of a view. */
export function streamMarkerName(
  keyPrefix: string,
  { topicNumber, partition }: { readonly topicNumber: number; readonly partition: number },
): string {
  return `${keyPrefix} ${topicNumber} ${partition}`
}

/** Where to read on; 0 without a marker, and for one that is not understood. */
export function streamPosition(text: string | null): number {
  if (text === null) return 0
  const parsed = marker.safeParse(JSON.parse(text))
  return parsed.success ? parsed.data.nextOffset : 0
}
