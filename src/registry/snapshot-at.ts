import type { Micros } from '../definitions/timestamp.ts'
import { floorToHop } from '../windows/hop.ts'
import type { BatchView } from './registry.ts'

/** The time of the batch snapshot that answers at `time`. */
export function snapshotAt({ everyMicros }: BatchView, time: Micros): Micros {
  return floorToHop(time, everyMicros)
}
