import type { Micros } from '../../../src/definitions/timestamp.ts'
import type { BatchView, StreamView } from '../../../src/registry/registry.ts'
import { firstTimeSince, windowStart } from '../../../src/windows/hop.ts'
import { isPresent, windowValue } from '../../oracle/window-oracle.ts'

/** An event on its way in, under its position. */
export interface RulesEvent {
  readonly key: number
  readonly id: string | null
  readonly at: Micros
  readonly amount: number
  readonly storedAt: Micros
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** A row that was pushed; its created timestamp is its arrival. */
export interface RulesRow {
  readonly key: number
  readonly at: Micros
  readonly created: Micros
  /** In the order of the view's features. */
  readonly values: readonly number[]
}

/** The values are null unless the row is present, or empty windows have values. */
export interface RulesAnswer {
  readonly status: 'PRESENT' | 'NOT_FOUND' | 'OUTSIDE_TTL' | 'UNAVAILABLE'
  readonly values: readonly (number | null)[]
}

interface StoredRow extends RulesRow {
  readonly closing: boolean
  readonly isPushed: boolean
}

interface RulesViews {
  readonly profile: { readonly ttlMicros: Micros | null }
  readonly hourly: BatchView
  readonly recent: StreamView
}

/**
 * The rules of design 3 in plain lists, in no hurry: what every answer of both clocks must be, whatever came in whichever
 * way and order. It knows what was accepted, what was deleted and what is past its retention; of stores it knows nothing.
 */
export function rulesOracle({ profile, hourly, recent }: RulesViews) {
  let events: (RulesEvent & { readonly counts: boolean })[] = []
  /** Of ids, with the time of the event that has claimed them. */
  const claims = new Map<string, Micros>()
  const deletions = new Map<number, Micros>()
  let storedSince: Micros = Number.NEGATIVE_INFINITY
  let rows: Record<'profile' | 'hourly', StoredRow[]> = { profile: [], hourly: [] }
  const snapshots = new Set<Micros>()

  const isDeleted = ({ key, at }: { readonly key: number; readonly at: Micros }): boolean =>
    at <= (deletions.get(key) ?? Number.NEGATIVE_INFINITY)
  /** One from ahead counts from the moment that it was stored. */
  const countedAt = ({ at, storedAt }: RulesEvent): Micros => Math.min(at, storedAt)
  const inOrder = (left: RulesEvent, right: RulesEvent): number =>
    countedAt(left) - countedAt(right) ||
    (left.topic < right.topic ? -1 : left.topic > right.topic ? 1 : 0) ||
    left.partition - right.partition ||
    left.offset - right.offset
  const counted = (key: number, knownAt: Micros) =>
    events
      .filter((event) => event.counts && event.key === key && event.storedAt <= knownAt)
      .sort(inOrder)
      .map((event) => ({ at: countedAt(event), fields: { customer_id: key, amount: event.amount } }))

  function windowsOf(view: BatchView | StreamView, key: number, t: Micros, knownAt: Micros) {
    const own = counted(key, knownAt)
    const values = view.aggregations.map((aggregation) => {
      const value = windowValue(aggregation, own, t)
      return value === null ? null : Number(value)
    })
    return { isPresent: isPresent(view.aggregations, own, t), values }
  }

  /** By the total order; of equal created timestamps the later row. */
  function newest(
    view: 'profile' | 'hourly',
    key: number,
    t: Micros,
    knownAt: Micros,
  ): StoredRow | undefined {
    return rows[view]
      .filter((row) => row.key === key && row.at <= t && row.created <= knownAt)
      .sort((left, right) => left.at - right.at || left.created - right.created)
      .at(-1)
  }

  function answerOf(
    row: StoredRow | undefined,
    t: Micros,
    ttlMicros: Micros | null,
    empty: readonly (number | null)[],
  ): RulesAnswer {
    if (row === undefined || row.closing) return { status: 'NOT_FOUND', values: empty }
    if (ttlMicros !== null && t - row.at > ttlMicros)
      return { status: 'OUTSIDE_TTL', values: row.values.map(() => null) }
    return { status: 'PRESENT', values: row.values }
  }

  /** A row where there are events; else once a closing one behind any row. A pushed row stands above both. */
  function computeKey(key: number, time: Micros, now: Micros, replaces: boolean): void {
    const windows = windowsOf(hourly, key, time, Number.POSITIVE_INFINITY)
    const found = newest('hourly', key, time, Number.POSITIVE_INFINITY)
    const stands = found?.at === time ? found : undefined
    if (stands?.isPushed && !replaces) return
    const values = windows.values.map(Number)
    const closing = !windows.isPresent
    // Nothing that would go on to answer.
    if (closing && (found === undefined || found.closing)) return
    const isEqual =
      stands !== undefined && stands.closing === closing && String(stands.values) === String(values)
    if (isEqual && !stands.isPushed) return
    rows.hourly.push({ key, at: time, created: now, values, closing, isPushed: false })
  }

  const oracle = {
    /** Events in the order in which they are accepted. */
    accept(event: RulesEvent): 'STORED' | 'REPEATED' | 'DELETED' {
      if (isDeleted(event)) return 'DELETED'
      const isRepeat = event.id !== null && claims.has(event.id)
      if (event.id !== null && !isRepeat) claims.set(event.id, event.at)
      events.push({ ...event, counts: !isRepeat })
      return isRepeat ? 'REPEATED' : 'STORED'
    },
    /** What both stores say of a pushed row. */
    push(view: 'profile' | 'hourly', row: RulesRow): 'DELETED' | 'NOT_YET' | 'WRITTEN' | 'OLDER' {
      if (isDeleted(row)) return 'DELETED'
      const pushed = { ...row, closing: false, isPushed: true }
      rows[view].push(pushed)
      if (row.at > row.created) return 'NOT_YET'
      return newest(view, row.key, row.created, Number.POSITIVE_INFINITY) === pushed ? 'WRITTEN' : 'OLDER'
    },
    delete(key: number, at: Micros): void {
      deletions.set(key, at)
      // The claims of its ids stay.
      events = events.filter((event) => event.key !== key)
      const others = (own: StoredRow[]): StoredRow[] => own.filter((row) => row.key !== key)
      rows = { profile: others(rows.profile), hourly: others(rows.hourly) }
    },
    isDeleted,
    /** Events from before are gone, and their ids are free again. Whether that changes what can be answered. */
    expire(since: Micros): boolean {
      const isLater = since > storedSince
      storedSince = Math.max(storedSince, since)
      events = events.filter((event) => event.at >= storedSince)
      for (const [id, at] of claims) if (at < storedSince) claims.delete(id)
      return isLater
    },
    /** The first snapshot whose windows hold no dropped event. */
    firstSnapshot: (): Micros =>
      storedSince === Number.NEGATIVE_INFINITY
        ? storedSince
        : Math.max(
            ...hourly.aggregations.map(({ windowMicros, hopMicros }) =>
              firstTimeSince(storedSince, windowMicros, hopMicros),
            ),
          ),
    snapshots: (): readonly Micros[] => [...snapshots].sort((left, right) => left - right),
    /** Times at which a pushed row stands, of a key or of all. */
    overridden: (key: number | null): readonly Micros[] => [
      ...new Set(
        rows.hourly
          .filter((row) => row.isPushed && (key === null || row.key === key))
          .filter((row) => newest('hourly', row.key, row.at, Number.POSITIVE_INFINITY) === row)
          .map(({ at }) => at),
      ),
    ],
    /** Computes the snapshots, and those recorded that follow one; pushed rows of keys that are `replaced` end. */
    compute(times: readonly Micros[], now: Micros, replaced: (key: number) => boolean): void {
      const recorded = oracle.snapshots()
      const all = new Set(times)
      for (const time of times)
        for (const next of recorded.filter((other) => other > time).slice(0, 1)) all.add(next)
      for (const time of [...all].sort((left, right) => left - right)) {
        const keys = new Set([...events, ...rows.hourly].map(({ key }) => key))
        for (const key of keys) computeKey(key, time, now, replaced(key))
        snapshots.add(time)
      }
    },
    /**
     * Computes again what may have to be. Of snapshots that were not among the stale ones nothing changes, but that a row
     * pushed before them since goes on to answer there.
     */
    computeStale(stale: readonly Micros[], now: Micros): void {
      const stays = (key: number, time: Micros): boolean => {
        const found = newest('hourly', key, time, Number.POSITIVE_INFINITY)
        const isIdle = !windowsOf(hourly, key, time, Number.POSITIVE_INFINITY).isPresent
        return isIdle && found?.isPushed === true && !stale.includes(time)
      }
      const keys = new Set([...events, ...rows.hourly].map(({ key }) => key))
      for (const time of oracle.snapshots().filter((one) => one >= oracle.firstSnapshot()))
        for (const key of keys) if (!stays(key, time)) computeKey(key, time, now, false)
    },
    /** What each view answers at a time by what was known then. */
    answers(key: number, t: Micros, knownAt: Micros = Number.POSITIVE_INFINITY) {
      const windows = windowsOf(recent, key, t, knownAt)
      const start = Math.min(
        ...recent.aggregations.map(({ windowMicros, hopMicros }) => windowStart(t, windowMicros, hopMicros)),
      )
      const streamed: RulesAnswer =
        start < storedSince
          ? { status: 'UNAVAILABLE', values: windows.values.map(() => null) }
          : { status: windows.isPresent ? 'PRESENT' : 'NOT_FOUND', values: windows.values }
      return {
        profile: answerOf(newest('profile', key, t, knownAt), t, profile.ttlMicros, [null]),
        hourly: answerOf(newest('hourly', key, t, knownAt), t, hourly.ttlMicros, [0, 0]),
        recent: streamed,
      }
    },
  }
  return oracle
}

export type RulesOracle = ReturnType<typeof rulesOracle>
