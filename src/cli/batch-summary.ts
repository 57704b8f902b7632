import { formatTimestamp, type Micros } from '../definitions/timestamp.ts'
import type { ComputedByEngine } from '../ingest/snapshots/compute-by-engine.ts'
import type { BatchComputed } from '../ingest/snapshots/compute-snapshots.ts'
import type { SnapshotsTaken } from '../ingest/snapshots/take-snapshots.ts'
import type { BatchView } from '../registry/registry.ts'

type Which = 'stale' | 'overridden'

export function computedLine(view: BatchView, computed: BatchComputed, what: Which): string {
  return line(view, computed, what, `over ${computed.events} events, ${computed.written} rows written`)
}

export function engineLine(view: BatchView, computed: ComputedByEngine, what: Which, engine: string): string {
  const { read, deleted, written } = computed
  return line(
    view,
    computed,
    what,
    `on ${engine}, ${read} rows computed, ${ofDeleted(deleted)}${written} rows written`,
  )
}

export function takenLine(view: BatchView, folder: string, taken: SnapshotsTaken): string {
  const { times, read, deleted, written, closedAtOthers } = taken
  const closed =
    closedAtOthers === 0
      ? ''
      : `; ${closedAtOthers} of them close keys at a recorded snapshot that ${folder} does not have: it stays as it was computed, without an event of these keys`
  return `${view.name}: ${shown(times)} of ${folder}, ${read} rows read, ${ofDeleted(deleted)}${written} rows written${closed}`
}

/** `the snapshot of …`, or how many from when to when. */
export function shown(times: readonly Micros[]): string {
  const [first] = times
  const last = times.at(-1)
  if (first === undefined || last === undefined) return 'no snapshot'
  return first === last
    ? `the snapshot of ${formatTimestamp(first)}`
    : `${times.length} snapshots from ${formatTimestamp(first)} to ${formatTimestamp(last)}`
}

function ofDeleted(rows: number): string {
  return rows === 0 ? '' : `${rows} of deleted entities left out, `
}

function line(
  view: BatchView,
  { times, expired }: Pick<BatchComputed, 'times' | 'expired'>,
  what: Which,
  done: string,
): string {
  const left =
    expired.length === 0 ? '' : `; ${expired.length} stale ones stay, since events of theirs were dropped`
  if (times.length === 0) return `${view.name}: no ${left === '' ? '' : 'other '}snapshot is ${what}${left}`
  return `${view.name}: ${shown(times)} ${done}${left}`
}
