import { formatDuration } from '../definitions/duration.ts'
import type { Micros } from '../definitions/timestamp.ts'
import { BadUserInput } from '../errors.ts'
import { type BatchScope, snapshotTimes } from '../ingest/snapshots/plan-run.ts'
import type { TakenTimes } from '../ingest/snapshots/take-snapshots.ts'
import type { BatchView } from '../registry/registry.ts'
import { snapshotAt } from '../registry/snapshot-at.ts'
import { argumentDuration } from './argument-duration.ts'
import { argumentTimestamp } from './argument-timestamp.ts'

export interface BatchArguments {
  readonly asOf?: string
  readonly from?: string
  readonly to?: string
  readonly every?: string
  readonly createdAfter?: string
  readonly stale?: boolean
  readonly replacePushed?: boolean
  readonly key?: readonly string[]
  readonly fromFiles?: string
  readonly engine?: string
  readonly events?: string
  readonly out?: string
}

/** What the arguments ask for, before the view says what its snapshot times are. */
export interface BatchQuestion {
  readonly asOf: Micros | null
  readonly range: {
    readonly from: Micros
    readonly to: Micros | null
    readonly everyMicros: Micros | null
  } | null
  readonly stale: boolean
  /** Snapshots were chosen by one of the arguments above. */
  readonly isTimed: boolean
  readonly createdAfterMicros: Micros | null
  readonly replacePushed: boolean
  /** Of one entity, as it was typed. */
  readonly key: readonly string[] | null
}

export function readQuestion({
  asOf,
  from,
  to,
  every,
  createdAfter,
  stale = false,
  replacePushed = false,
  key,
}: BatchArguments): BatchQuestion {
  if (key !== undefined && !replacePushed)
    throw new BadUserInput('--key says whose pushed rows end: it needs --replace-pushed')
  const ranged = from !== undefined || to !== undefined || every !== undefined
  if ([asOf !== undefined, ranged, stale].filter(Boolean).length > 1)
    throw new BadUserInput('expected one of --as-of, --from with --to, and --stale; more than one came')
  const start = argumentTimestamp('--from', from)
  if (ranged && start === null) throw new BadUserInput('a range of snapshots needs --from')
  return {
    asOf: argumentTimestamp('--as-of', asOf),
    range:
      start === null
        ? null
        : { from: start, to: argumentTimestamp('--to', to), everyMicros: argumentDuration('--every', every) },
    stale,
    isTimed: asOf !== undefined || ranged || stale,
    replacePushed,
    key: key ?? null,
    createdAfterMicros: argumentDuration('--created-after', createdAfter),
  }
}

/** The snapshots to compute; without any argument the newest. */
export function scopeOf(view: BatchView, question: BatchQuestion, now: Micros): BatchScope {
  const { asOf, range, stale } = question
  if (stale) return { kind: 'STALE', since: null }
  if (range === null) return { kind: 'TIMES', times: [snapshotOf(view, asOf ?? now, now)] }
  const { from, to, everyMicros } = checkedRange(view, range, now)
  const times = snapshotTimes(view, { from, to, everyMicros })
  if (times.length > 0) return { kind: 'TIMES', times }
  throw new BadUserInput(
    `there is no snapshot time of feature view "${view.name}" from --from to --to; they are the multiples of ${formatDuration(view.everyMicros)} from 1970 in UTC`,
  )
}

/** The snapshots to take of those that files have; null: all. */
export function takenTimes(view: BatchView, { asOf, range }: BatchQuestion, now: Micros): TakenTimes | null {
  if (asOf !== null) {
    const time = snapshotOf(view, asOf, now)
    return { from: time, to: time, everyMicros: view.everyMicros }
  }
  if (range === null) return null
  const checked = checkedRange(view, range, now)
  const [first] = snapshotTimes(view, { ...checked, to: checked.from + view.everyMicros })
  return { ...checked, from: first ?? checked.from }
}

function snapshotOf(view: BatchView, time: Micros, now: Micros): Micros {
  if (time > now) throw new BadUserInput('--as-of has not come yet: a snapshot holds the events before it')
  return snapshotAt(view, time)
}

function checkedRange(view: BatchView, range: NonNullable<BatchQuestion['range']>, now: Micros): TakenTimes {
  const everyMicros = range.everyMicros ?? view.everyMicros
  if (everyMicros % view.everyMicros !== 0) {
    throw new BadUserInput(
      `--every expects a multiple of ${formatDuration(view.everyMicros)}, the step of feature view "${view.name}"; got ${formatDuration(everyMicros)}`,
    )
  }
  const to = range.to ?? now
  if (to > now) throw new BadUserInput('--to has not come yet: a snapshot holds the events before it')
  return { from: range.from, to, everyMicros }
}
