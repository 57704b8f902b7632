import { formatDuration } from '../definitions/duration.ts'
import { formatTimestamp, type Micros } from '../definitions/timestamp.ts'
import type { EntityKey } from '../definitions/value.ts'
import { BadUserInput } from '../errors.ts'
import type { Stores } from '../gateway/open-stores.ts'
import { systemClock } from '../gateway/system-clock.ts'
import { type BatchComputed, computeSnapshots } from '../ingest/snapshots/compute-snapshots.ts'
import { type BatchScope, snapshotTimes } from '../ingest/snapshots/plan-run.ts'
import type { BatchView, Registry } from '../registry/registry.ts'
import { snapshotAt } from '../registry/snapshot-at.ts'
import { argumentDuration } from './argument-duration.ts'
import { argumentKey } from './argument-key.ts'
import { argumentTimestamp } from './argument-timestamp.ts'
import { namedViews } from './named-views.ts'
import { rowCounter } from './progress-bar.ts'
import { withStores } from './with-stores.ts'

interface BatchArguments {
  readonly asOf?: string
  readonly from?: string
  readonly to?: string
  readonly every?: string
  readonly createdAfter?: string
  readonly stale?: boolean
  readonly replacePushed?: boolean
  readonly key?: readonly string[]
}

/** `featuregraph batch [views…]`: one view after the other; a final line for each on standard output. */
export async function batchViews(names: readonly string[], options: BatchArguments): Promise<void> {
  const question = readArguments(options)
  await withStores('UNUSED', async ({ registry, stores, checkTables }) => {
    const now = systemClock()
    const chosen = chooseViews(registry, names).map((view) => ({
      view,
      scope: scopeOf(view, question, now),
      replacePushed: question.replacePushed
        ? { key: question.key === null ? null : argumentKey(view.entity, question.key) }
        : undefined,
    }))
    await checkTables()
    for (const { view, scope: timed, replacePushed } of chosen) {
      const scope =
        replacePushed && !question.isTimed ? await overriddenTimes(stores, view, replacePushed.key) : timed
      const counter = rowCounter(`computing ${view.name}`, 'keys')
      const result = await computeSnapshots({ ...stores, clock: systemClock }, view, scope, {
        createdAfterMicros: question.createdAfterMicros,
        ...(replacePushed ? { replacePushed } : {}),
        onWait: () => process.stderr.write(`${view.name}: another run is under way; waiting for its end\n`),
        onProgress: counter.update,
      }).finally(counter.stop)
      process.stdout.write(`${summary(view, result, replacePushed ? 'overridden' : 'stale')}\n`)
    }
  })
}

/** What the arguments ask for, before the view says what its snapshot times are. */
interface BatchQuestion {
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

function readArguments({
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

async function overriddenTimes(
  { snapshots }: Pick<Stores, 'snapshots'>,
  view: BatchView,
  key: EntityKey | null,
): Promise<BatchScope> {
  const overrides = await snapshots.overrides(view, key)
  const times = overrides.map(({ eventTimestamp }) => eventTimestamp)
  return { kind: 'TIMES', times }
}

function scopeOf(view: BatchView, { asOf, range, stale }: BatchQuestion, now: Micros): BatchScope {
  if (stale) return { kind: 'STALE', since: null }
  if (range === null) {
    const time = asOf ?? now
    if (time > now) throw new BadUserInput('--as-of has not come yet: a snapshot holds the events before it')
    return { kind: 'TIMES', times: [snapshotAt(view, time)] }
  }
  const everyMicros = range.everyMicros ?? view.everyMicros
  if (everyMicros % view.everyMicros !== 0) {
    throw new BadUserInput(
      `--every expects a multiple of ${formatDuration(view.everyMicros)}, the step of feature view "${view.name}"; got ${formatDuration(everyMicros)}`,
    )
  }
  const to = range.to ?? now
  if (to > now) throw new BadUserInput('--to has not come yet: a snapshot holds the events before it')
  const times = snapshotTimes(view, { from: range.from, to, everyMicros })
  if (times.length > 0) return { kind: 'TIMES', times }
  throw new BadUserInput(
    `there is no snapshot time of feature view "${view.name}" from --from to --to; they are the multiples of ${formatDuration(view.everyMicros)} from 1970 in UTC`,
  )
}

function chooseViews(registry: Registry, names: readonly string[]): readonly BatchView[] {
  const asked = names.length === 0 ? registry.views : namedViews(registry, names)
  const views = asked.filter((view) => view.kind === 'BATCH')
  const others = asked.filter((view) => view.kind !== 'BATCH').map(({ name }) => name)
  if (names.length > 0 && others.length > 0)
    throw new BadUserInput(`not computed in batch by their definition: ${others.join(', ')}`)
  if (views.length === 0) throw new BadUserInput('no feature view is computed in batch')
  return views
}

function summary(view: BatchView, computed: BatchComputed, what: 'stale' | 'overridden'): string {
  const { times, expired, events, written } = computed
  const left =
    expired.length === 0 ? '' : `; ${expired.length} stale ones stay, since events of theirs were dropped`
  const [first] = times
  const last = times.at(-1)
  if (first === undefined || last === undefined)
    return `${view.name}: no ${left === '' ? '' : 'other '}snapshot is ${what}${left}`
  const which =
    first === last
      ? `the snapshot of ${formatTimestamp(first)}`
      : `${times.length} snapshots from ${formatTimestamp(first)} to ${formatTimestamp(last)}`
  return `${view.name}: ${which} over ${events} events, ${written} rows written${left}`
}
