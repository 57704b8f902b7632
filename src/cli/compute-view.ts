import type { BatchScope } from '../ingest/snapshots/plan-run.ts'
import type { RowOptions } from '../ingest/snapshots/snapshot-block.ts'
import type { BatchView } from '../registry/registry.ts'

/** Computes some snapshots, and returns what there is to say of them. */
export type ComputeView = (
  view: BatchView,
  scope: BatchScope,
  rows: RowOptions,
  what: 'stale' | 'overridden',
) => Promise<string>

export function sayWaiting(view: BatchView): () => void {
  return () => process.stderr.write(`${view.name}: another run is under way; waiting for its end\n`)
}
