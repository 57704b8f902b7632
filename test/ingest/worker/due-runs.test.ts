import { batch, count, entity, eventSource, featureView, windowedView } from 'featuregraph'
import { describe, expect, it } from 'vitest'
import type { Micros } from '../../../src/definitions/timestamp.ts'
import {
  describeTasks,
  dueRun,
  expiredSnapshots,
  nextCheck,
  retryAt,
  tasksOf,
  type ViewHistory,
  type ViewRecord,
} from '../../../src/ingest/worker/due-runs.ts'
import { buildRegistry } from '../../../src/registry/build-registry.ts'
import { at } from '../../contract/offline-store.ts'

const minute = 60_000_000
const hour = 60 * minute
const day = 24 * hour

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const sales = eventSource('sales', { eventTimestamp: 'at', fields: { customer_id: 'int64' } })
const shared = { entity: customer, source: sales, features: { n: count('7d') } }
const features = { n: 'int64' } as const
const definitions = [
  customer,
  sales,
  windowedView('daily', { ...shared, compute: batch({ every: '1d' }) }),
  windowedView('hourly', { ...shared, online: false, compute: batch({ every: '1h' }) }),
  windowedView('nightly', {
    ...shared,
    compute: batch({ every: '1h' }),
    schedule: { batch: '15 2 * * *', materialize: '0 6 * * MON-FRI' },
  }),
  featureView('plain', { entity: customer, features }),
  featureView('planned', { entity: customer, features, schedule: { materialize: '30 */2 * * *' } }),
  featureView('offline', { entity: customer, online: false, features }),
]
const registry = buildRegistry(definitions.map((value, index) => ({ path: `definition ${index}`, value })))

function viewOf(name: string) {
  const found = registry.views.find((view) => view.name === name)
  if (!found) throw new Error(`no view ${name}`)
  return found
}

const fresh = (...times: readonly string[]) =>
  times.map((text) => ({ asOf: at(text), stale: false, lacking: [] }))
const stale = (...times: readonly string[]) =>
  times.map((text) => ({ asOf: at(text), stale: true, lacking: [] }))

/** By the definition of today. */
function materializedBy(name: string): ViewRecord['materializedBy'] {
  const view = viewOf(name)
  return { definition: view.kind === 'STREAM' ? null : view.definition, filling: null }
}

function due(name: string, now: string, record: Partial<ViewRecord> = {}, history: ViewHistory = {}) {
  const whole: ViewRecord = {
    snapshots: [],
    storedSince: null,
    batchWroteAt: null,
    materializedUntil: null,
    materializedBy: materializedBy(name),
    ...record,
  }
  const run = dueRun(viewOf(name), whole, history, { now: at(now), recomputeMicros: 3 * day })
  if (run === null) return null
  switch (run.kind) {
    case 'MISSING':
      return run.times
    case 'REDEFINED':
      return { redefined: run.times }
    case 'STALE':
      return { since: run.since }
    case 'MATERIALIZE':
      return run.kind
  }
}

function look(name: string, now: string, record: Partial<ViewRecord>, history: ViewHistory = {}): Micros {
  const whole: ViewRecord = {
    snapshots: [],
    storedSince: null,
    batchWroteAt: null,
    materializedUntil: null,
    materializedBy: materializedBy(name),
    ...record,
  }
  return nextCheck(viewOf(name), whole, history, at(now))
}

const times = (...texts: readonly string[]): readonly Micros[] => texts.map(at)

describe('missing snapshots', () => {
  it('are due to the microsecond when their time has come', () => {
    const snapshots = fresh('2026-11-22T00:00:00Z')
    const materializedUntil = at('2026-11-22T23:30:00Z')
    expect(due('daily', '2026-11-22T23:59:59.999999Z', { snapshots, materializedUntil })).toBe(null)
    expect(due('daily', '2026-11-23T00:00:00Z', { snapshots, materializedUntil })).toEqual(
      times('2026-11-23T00:00:00Z'),
    )
  })

  it('are all that came since the newest recorded one, oldest first, whatever is not recorded before it', () => {
    const snapshots = fresh('2026-11-01T00:00:00Z', '2026-11-20T00:00:00Z')
    expect(due('daily', '2026-11-23T09:00:00Z', { snapshots })).toEqual(
      times('2026-11-21T00:00:00Z', '2026-11-22T00:00:00Z', '2026-11-23T00:00:00Z'),
    )
  })

  it('are the newest alone where none is recorded', () => {
    expect(due('daily', '2026-11-23T09:00:00Z')).toEqual(times('2026-11-23T00:00:00Z'))
  })

  it('of a schedule are those that had come at its last firing, also when that was missed', () => {
    const snapshots = fresh('2026-11-22T02:00:00Z')
    const materializedUntil = at('2026-11-23T02:00:00Z')
    expect(due('nightly', '2026-11-23T02:14:59.999999Z', { snapshots, materializedUntil })).toBe(null)
    const day_ = Array.from({ length: 24 }, (_, index) => at('2026-11-22T03:00:00Z') + index * hour)
    expect(due('nightly', '2026-11-23T02:15:00Z', { snapshots, materializedUntil })).toEqual(day_)
    expect(due('nightly', '2026-11-23T17:00:00Z', { snapshots, materializedUntil })).toEqual(day_)
    expect(due('nightly', '2026-11-23T17:00:00Z')).toEqual(times('2026-11-23T02:00:00Z'))
  })
})

describe('snapshots whose events are dropped', () => {
  // Of the windows of seven days the first that begins then.
  const storedSince = at('2026-11-15T00:00:00Z')
  const question = { now: at('2026-11-23T09:00:00Z'), recomputeMicros: 30 * day }

  it('are never due, missing or stale, and are told apart', () => {
    const snapshots = [...stale('2026-11-19T00:00:00Z'), ...fresh('2026-11-20T00:00:00Z')]
    const now = '2026-11-23T09:00:00Z'
    expect(due('daily', now, { snapshots, storedSince })).toEqual(
      times('2026-11-22T00:00:00Z', '2026-11-23T00:00:00Z'),
    )
    const record = {
      snapshots,
      storedSince,
      batchWroteAt: null,
      materializedUntil: null,
      materializedBy: { definition: null, filling: null },
    }
    expect(expiredSnapshots(viewOf('daily'), record, question)).toEqual(
      times('2026-11-19T00:00:00Z', '2026-11-21T00:00:00Z'),
    )
    expect(expiredSnapshots(viewOf('daily'), { ...record, storedSince: null }, question)).toEqual([])
  })

  it('are not computed again with those that can be', () => {
    const now = '2026-11-23T09:00:00Z'
    const materializedUntil = at(now)
    const old = [...stale('2026-11-21T00:00:00Z'), ...fresh('2026-11-23T00:00:00Z')]
    expect(due('daily', now, { snapshots: old, storedSince, materializedUntil })).toBe(null)
    const both = [...stale('2026-11-21T00:00:00Z', '2026-11-22T00:00:00Z'), ...fresh('2026-11-23T00:00:00Z')]
    expect(due('daily', now, { snapshots: both, storedSince, materializedUntil })).toEqual({
      since: at(now) - 3 * day,
    })
  })
})

describe('snapshots that another definition computed', () => {
  const now = '2026-11-23T09:00:00Z'
  const materializedUntil = at(now)
  const other = (...texts: readonly string[]) =>
    texts.map((text) => ({ asOf: at(text), stale: false, lacking: null }))
  const lacking = (...texts: readonly string[]) =>
    texts.map((text) => ({ asOf: at(text), stale: false, lacking: ['m'] }))

  it('are recomputed however old they are, the newest alone and first, after those whose time has come', () => {
    const snapshots = [
      ...other('2020-01-01T00:00:00Z', '2026-11-21T00:00:00Z'),
      ...other('2026-11-22T00:00:00Z'),
    ]
    expect(due('daily', now, { snapshots, materializedUntil })).toEqual(times('2026-11-23T00:00:00Z'))
    const all = [...snapshots, ...other('2026-11-23T00:00:00Z')]
    expect(due('daily', now, { snapshots: all, materializedUntil })).toEqual({
      redefined: times('2026-11-23T00:00:00Z'),
    })
    const rest = [...snapshots, ...fresh('2026-11-23T00:00:00Z')]
    expect(due('daily', now, { snapshots: rest, materializedUntil })).toEqual({
      redefined: times('2020-01-01T00:00:00Z', '2026-11-21T00:00:00Z', '2026-11-22T00:00:00Z'),
    })
  })

  it('go online once the newest is recomputed, before the others, and once', () => {
    const snapshots = [...lacking('2026-11-22T00:00:00Z'), ...fresh('2026-11-23T00:00:00Z')]
    const before = { definition: 'another', filling: null }
    expect(due('daily', now, { snapshots, materializedUntil, materializedBy: before })).toBe('MATERIALIZE')
    const begun = { definition: 'another', filling: materializedBy('daily').definition }
    expect(due('daily', now, { snapshots, materializedUntil, materializedBy: begun })).toEqual({
      redefined: times('2026-11-22T00:00:00Z'),
    })
    const notYet = lacking('2026-11-22T00:00:00Z', '2026-11-23T00:00:00Z')
    expect(due('daily', now, { snapshots: notYet, materializedUntil, materializedBy: before })).toEqual({
      redefined: times('2026-11-23T00:00:00Z'),
    })
  })

  it('are left where their events were dropped', () => {
    const snapshots = [...other('2026-11-01T00:00:00Z'), ...fresh('2026-11-23T00:00:00Z')]
    const storedSince = at('2026-11-15T00:00:00Z')
    expect(due('daily', now, { snapshots, storedSince, materializedUntil })).toBe(null)
  })
})

describe('stale snapshots', () => {
  const now = '2026-11-23T09:00:00Z'

  it('of the span are computed again, after the missing ones', () => {
    const since = at(now) - 3 * day
    const snapshots = stale('2026-11-21T00:00:00Z', '2026-11-22T00:00:00Z')
    expect(due('daily', now, { snapshots })).toEqual(times('2026-11-23T00:00:00Z'))
    const recorded = [...snapshots, ...fresh('2026-11-23T00:00:00Z')]
    expect(due('daily', now, { snapshots: recorded })).toEqual({ since })
  })

  it('older than the span, and fresh ones, make no run', () => {
    const materializedUntil = at(now)
    const old = [...stale('2026-11-20T00:00:00Z'), ...fresh('2026-11-23T00:00:00Z')]
    expect(due('daily', now, { snapshots: old, materializedUntil })).toBe(null)
  })

  it('are looked for every five minutes, and not computed more often, whatever the store says', () => {
    const snapshots = stale('2026-11-23T00:00:00Z')
    const materializedUntil = at(now)
    const history = { STALE: { endedAt: at(now) - 4 * minute, failures: 0 } }
    expect(due('daily', now, { snapshots, materializedUntil }, history)).toBe(null)
    expect(look('daily', now, { snapshots, materializedUntil }, history)).toBe(at(now) + minute)
    expect(due('daily', '2026-11-23T09:01:00Z', { snapshots, materializedUntil }, history)).toMatchObject({})
    expect(look('daily', now, { snapshots: fresh('2026-11-23T00:00:00Z'), materializedUntil })).toBe(
      at(now) + 5 * minute,
    )
  })
})

describe('the way online', () => {
  it('is due at once for what was never materialized, then an hour after the last run', () => {
    const materializedUntil = at('2026-11-23T09:00:00Z')
    expect(due('plain', '2026-11-23T09:00:00Z')).toBe('MATERIALIZE')
    expect(due('plain', '2026-11-23T09:59:59.999999Z', { materializedUntil })).toBe(null)
    expect(look('plain', '2026-11-23T09:10:00Z', { materializedUntil })).toBe(at('2026-11-23T10:00:00Z'))
    expect(due('plain', '2026-11-23T10:00:00Z', { materializedUntil })).toBe('MATERIALIZE')
  })

  it('by a schedule is due once after a firing, however many were missed', () => {
    const materializedUntil = at('2026-11-23T08:30:00Z')
    expect(due('planned', '2026-11-23T10:29:59.999999Z', { materializedUntil })).toBe(null)
    expect(look('planned', '2026-11-23T08:30:00Z', { materializedUntil })).toBe(at('2026-11-23T10:30:00Z'))
    expect(due('planned', '2026-11-23T10:30:00Z', { materializedUntil })).toBe('MATERIALIZE')
    expect(due('planned', '2026-11-24T21:00:00Z', { materializedUntil })).toBe('MATERIALIZE')
    expect(due('planned', '2026-11-24T21:00:01Z', { materializedUntil: at('2026-11-24T21:00:00Z') })).toBe(
      null,
    )
  })

  it('follows a batch run that wrote rows, unless by a clock that is ahead', () => {
    const now = '2026-11-23T09:00:00Z'
    const materialized = { snapshots: fresh('2026-11-23T00:00:00Z'), materializedUntil: at(now) - 10 }
    expect(due('daily', now, { ...materialized, batchWroteAt: at(now) - 20 })).toBe(null)
    expect(due('daily', now, { ...materialized, batchWroteAt: at(now) - 5 })).toBe('MATERIALIZE')
    expect(due('daily', now, { ...materialized, batchWroteAt: at(now) + 5 })).toBe(null)
  })

  it('is none for a view that is kept out of the online store', () => {
    expect(due('offline', '2026-11-23T09:00:00Z')).toBe(null)
    expect(due('hourly', '2026-11-23T09:00:00Z', { snapshots: fresh('2026-11-23T09:00:00Z') })).toBe(null)
    expect(registry.views.filter((view) => tasksOf(view).length === 0).map(({ name }) => name)).toEqual([
      'offline',
    ])
  })
})

describe('a failure', () => {
  const now = at('2026-11-23T00:00:30Z')

  it('is tried again after growing pauses, then at the next firing, never sooner again', () => {
    const pauseOf = (name: string, failures: number) =>
      retryAt(viewOf(name), 'MISSING', { endedAt: now, failures }) - now
    expect([1, 2, 3, 4].map((failures) => pauseOf('daily', failures) / minute)).toEqual([1, 5, 15, 60])
    expect(pauseOf('daily', 5)).toBe(day - 30_000_000)
    expect(pauseOf('nightly', 9)).toBe(2 * hour + 15 * minute - 30_000_000)
    expect(pauseOf('hourly', 9)).toBe(hour)
    expect(retryAt(viewOf('plain'), 'MATERIALIZE', { endedAt: now, failures: 7 }) - now).toBe(hour)
  })

  it("lets the view's other tasks run, and is looked at when its pause ends", () => {
    const history = { MISSING: { endedAt: now, failures: 2 } }
    const snapshots = fresh('2026-11-22T00:00:00Z')
    expect(due('daily', '2026-11-23T00:05:29Z', { snapshots }, history)).toBe('MATERIALIZE')
    const materialized = { snapshots, materializedUntil: now }
    expect(due('daily', '2026-11-23T00:05:29Z', materialized, history)).toBe(null)
    expect(look('daily', '2026-11-23T00:05:29Z', materialized, history)).toBe(now + 5 * minute)
    expect(due('daily', '2026-11-23T00:05:30Z', materialized, history)).toEqual(times('2026-11-23T00:00:00Z'))
  })
})

it('says in words what is run of each view and when', () => {
  expect(registry.views.map(describeTasks)).toEqual([
    'daily: snapshots every 1d, materialized after each and every 1h',
    'hourly: snapshots every 1h',
    'nightly: snapshots of every 1h at "15 2 * * *" UTC, materialized after each and at "0 6 * * MON-FRI" UTC',
    'plain: materialized every 1h',
    'planned: materialized at "30 */2 * * *" UTC',
    'offline: ',
  ])
})
