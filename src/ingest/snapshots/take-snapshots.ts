import { formatDuration } from '../../definitions/duration.ts'
import { type Clock, formatTimestamp, type Micros } from '../../definitions/timestamp.ts'
import { BadUserInput } from '../../errors.ts'
import type { BatchView } from '../../registry/registry.ts'
import { snapshotAt } from '../../registry/snapshot-at.ts'
import type { OpenedSnapshots, SnapshotFiles } from '../../stores/snapshot-files.ts'
import type { ArrivalPoint, RecordedSnapshot, SnapshotStore } from '../../stores/snapshot-store.ts'
import type { ViolationStore } from '../../stores/violation-store.ts'
import { reachOf } from '../../windows/reach-of.ts'
import { type BatchOptions, type BatchTargets, batchRun } from './compute-snapshots.ts'
import { foldComputed } from './fold-computed.ts'
import { computedRows } from './read-computed.ts'
import { snapshotBlock, timesAtOnce } from './snapshot-block.ts'

export interface TakeOptions extends BatchOptions {
  /** Nothing of the snapshots under way stays. */
  readonly signal: AbortSignal
}

export interface SnapshotsTaken {
  /** Oldest first. */
  readonly times: readonly Micros[]
  /** Rows of these times in the files. */
  readonly read: number
  /** Of them those of entities that were deleted at their time or later: left out. */
  readonly deleted: number
  readonly written: number
  /** Of the rows written those that close a key at a recorded snapshot that the files do not have, which stays as it was. */
  readonly closedAtOthers: number
}

/** Which of the times that the files have: all (null), or those of a range, `everyMicros` apart from its first. */
export interface TakenTimes {
  readonly from: Micros
  readonly to: Micros
  readonly everyMicros: Micros
}

/**
 * Takes snapshots that were computed elsewhere, as if they had been computed here: nothing for a row that is equal within its
 * tolerance, a later created row otherwise, a closing row where a key had a row and the files have none, and what a deletion,
 * an expectation or a pushed row keeps out stays out. Up to 366 snapshots are stored together or not at all.
 * @throws BadUserInput for files that are not whole, do not fit or change meanwhile; RowCountRefused; StoreFailed; the signal's
 * reason.
 */
export async function takeSnapshots(
  targets: BatchTargets & { readonly files: SnapshotFiles },
  view: BatchView,
  { folder, asked }: { readonly folder: string; readonly asked: TakenTimes | null },
  options: TakeOptions,
): Promise<SnapshotsTaken> {
  const { runs, clock, files, snapshots } = targets
  const asOf = asked !== null && asked.from === asked.to ? asked.from : null
  const subject = { ...batchRun(view, { kind: 'STALE', since: null }), asOf }
  return await runs.withRun(subject, { now: clock, onWait: options.onWait }, async () => {
    const opened = await files.open(folder, columnsOf(view))
    try {
      const times = timesToTake(view, folder, opened, asked, clock())
      const recorded = await snapshots.recorded(view, { reachMicros: reachOf(view), since: times[0] ?? 0 })
      const result = await takeOpened(targets, view, { folder, opened, times, recorded }, options)
      const { read, written } = result
      return { result, outcome: { state: 'SUCCEEDED', rowsRead: read, rowsWritten: written, error: null } }
    } finally {
      await opened.close()
    }
  })
}

export function columnsOf(view: BatchView): Parameters<SnapshotFiles['open']>[1] {
  return { joinKeys: view.entity.joinKeys, features: view.features }
}

interface OpenedIntake {
  readonly folder: string
  readonly opened: OpenedSnapshots
  /** Oldest first. A time without a row is a snapshot in which every key closes. */
  readonly times: readonly Micros[]
  readonly recorded: readonly RecordedSnapshot[]
  /** As `SnapshotIntake` has them; absent: null. */
  readonly eventsReadAt?: ArrivalPoint
  readonly eventsSince?: Micros
}

/** Where snapshots that were computed elsewhere go. */
export interface IntakeTargets {
  readonly snapshots: Pick<SnapshotStore, 'take'>
  readonly violations: Pick<ViolationStore, 'record'>
  readonly clock: Clock
}

/** Within a run of the view. */
export async function takeOpened(
  { snapshots, violations, clock }: IntakeTargets,
  view: BatchView,
  { folder, opened, times, recorded, eventsReadAt, eventsSince }: OpenedIntake,
  options: TakeOptions,
): Promise<SnapshotsTaken> {
  const taken = { read: 0, deleted: 0, written: 0, closedAtOthers: 0 }
  const isTaken = new Set(times)
  let keys = 0
  for (let start = 0; start < times.length; start += timesAtOnce) {
    const computed = times.slice(start, start + timesAtOnce)
    const all = withOthers(computed, isTaken, recorded)
    const stays = (time: Micros): boolean => !isTaken.has(time)
    const block = snapshotBlock(view, all, recorded, options, clock(), stays)
    const counts = await snapshots
      .take(
        {
          ...{ view, times: all, computed, computedAt: block.now, keysPerFold: block.keysPerFold },
          eventsReadAt: eventsReadAt ?? null,
          eventsSince: eventsSince ?? null,
        },
        computedRows(view, folder, opened.read(computed), options.signal),
        (timelines) => {
          const folded = foldComputed(view, all, block.times, timelines)
          for (const { eventTimestamp } of folded.rows) if (stays(eventTimestamp)) taken.closedAtOthers += 1
          keys += timelines.length
          options.onProgress(keys)
          return folded
        },
        block.conclude,
      )
      .catch(block.reportRefused(violations))
    taken.read += counts.read
    taken.deleted += counts.deleted
    taken.written += counts.rows
  }
  return { times, ...taken }
}

/** Next to each the recorded one that follows, by a definition whose rows mean the same: keys may close there. */
function withOthers(
  computed: readonly Micros[],
  taken: ReadonlySet<Micros>,
  recorded: readonly RecordedSnapshot[],
): readonly Micros[] {
  const others = recorded.filter(({ asOf, lacking }) => lacking !== null && !taken.has(asOf))
  const all = new Set(computed)
  for (const time of computed) {
    const next = others.find(({ asOf }) => asOf > time)
    if (next !== undefined) all.add(next.asOf)
  }
  return [...all].sort((left, right) => left - right)
}

function timesToTake(
  view: BatchView,
  folder: string,
  { times }: OpenedSnapshots,
  asked: TakenTimes | null,
  now: Micros,
): readonly Micros[] {
  if (times.length === 0)
    throw new BadUserInput(
      `${folder} has no row: expected Parquet files (.parquet) with rows at any depth below it`,
    )
  const found: Micros[] = []
  for (const { asOf, rows } of times) {
    const count = `${rows} ${rows === 1 ? 'row' : 'rows'}`
    if (asOf === null) throw new BadUserInput(`${folder}: ${count} without an event_timestamp`)
    // Also what is beyond every timestamp.
    if (asOf > now)
      throw new BadUserInput(
        `${folder}: ${count} of ${Number.isSafeInteger(asOf) ? formatTimestamp(asOf) : 'no time'}, which has not come yet: a snapshot holds the events before it`,
      )
    if (snapshotAt(view, asOf) !== asOf)
      throw new BadUserInput(
        `${folder}: ${count} of ${formatTimestamp(asOf)}, which is no snapshot time of feature view "${view.name}"; they are the multiples of ${formatDuration(view.everyMicros)} from 1970 in UTC`,
      )
    found.push(asOf)
  }
  if (asked === null) return found
  const { from, to, everyMicros } = asked
  const wanted = found.filter((time) => time >= from && time <= to && (time - from) % everyMicros === 0)
  if (wanted.length > 0) return wanted
  const which = from === to ? `of ${formatTimestamp(from)}` : 'of the times that were asked for'
  const [first, last] = [found[0] ?? 0, found.at(-1) ?? 0]
  throw new BadUserInput(
    `${folder} has no row ${which}, and a snapshot without any would close every key; it has ${found.length === 1 ? formatTimestamp(first) : `${found.length} times from ${formatTimestamp(first)} to ${formatTimestamp(last)}`}`,
  )
}
