import { batch, count, entity, eventSource, featureView, windowedView } from 'featuregraph'
import { describe, expect, it } from 'vitest'
import { InvalidDefinitions } from '../../src/errors.ts'
import { buildRegistry } from '../../src/registry/build-registry.ts'
import { lastFiring, nextFiring } from '../../src/registry/cron-firings.ts'
import { at } from '../contract/offline-store.ts'

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const sales = eventSource('sales', { eventTimestamp: 'at', fields: { customer_id: 'int64' } })

function build(schedule: { readonly batch?: string; readonly materialize?: string }, online = true) {
  const view = windowedView('spending', {
    entity: customer,
    source: sales,
    online,
    compute: batch({ every: '1d' }),
    features: { n: count('7d') },
    schedule,
  })
  return buildRegistry([customer, sales, view].map((value, index) => ({ path: `fraud.ts: ${index}`, value })))
}

function problemsOf(...args: Parameters<typeof build>): readonly string[] {
  try {
    build(...args)
  } catch (error) {
    if (!(error instanceof InvalidDefinitions)) throw error
    return error.problems.map(
      ({ path, message }) => `${path.replace(/ \(fraud\.ts: \d+\)$/, '')}: ${message}`,
    )
  }
  return []
}

describe('a schedule', () => {
  it('is stored as it was written', () => {
    const schedule = { batch: '15 0 * * *', materialize: '30 5 6 * * MON-FRI' }
    expect(build(schedule).views[0]?.schedule).toEqual(schedule)
    expect(build({}).views[0]?.schedule).toEqual({ batch: null, materialize: null })
  })

  it('that no cron expression is, or that never fires, is refused with what came, all at once', () => {
    expect(problemsOf({ batch: '61 * * * *', materialize: '0 0 30 2 *' })).toEqual([
      'feature view spending.schedule.batch: expected a cron expression of 5 or 6 fields in UTC, as "15 0 * * *"; got "61 * * * *": Invalid value for minute: 61',
      'feature view spending.schedule.materialize: expected a cron expression of 5 or 6 fields in UTC, as "15 0 * * *"; got "0 0 30 2 *": it never fires',
    ])
    expect(problemsOf({ batch: 'at noon every other day' })[0]).toContain('got "at noon every other day"')
    expect(problemsOf({ batch: 'daily' })[0]).toContain('a cron expression of 5 or 6 fields')
  })

  it('for the way online is refused on a view that is not online', () => {
    expect(problemsOf({ materialize: '0 * * * *' }, false)).toEqual([
      'feature view spending.schedule.materialize: a view with online: false is not materialized; leave one of the two out',
    ])
    const plain = featureView('scores', {
      entity: customer,
      features: { n: 'int64' },
      schedule: { materialize: '99 * * * *' },
    })
    expect(() =>
      buildRegistry([customer, plain].map((value, index) => ({ path: `fraud.ts: ${index}`, value }))),
    ).toThrow('feature view scores.schedule.materialize (fraud.ts: 1): expected a cron expression')
  })
})

describe('firings', () => {
  const expression = '15 0 * * *'
  const midnight = at('2026-11-23T00:15:00Z')
  const day = 86_400_000_000

  it('are at or before a time, or after it, to the microsecond', () => {
    expect(lastFiring(expression, midnight)).toBe(midnight)
    expect(lastFiring(expression, midnight - 1)).toBe(midnight - day)
    expect(lastFiring(expression, midnight + 1)).toBe(midnight)
    expect(nextFiring(expression, midnight - 1)).toBe(midnight)
    expect(nextFiring(expression, midnight)).toBe(midnight + day)
    expect(nextFiring(expression, midnight + 1)).toBe(midnight + day)
  })

  it('are in UTC whatever the machine says, also where its clocks change', () => {
    const before = process.env['TZ']
    process.env['TZ'] = 'Europe/Berlin'
    try {
      expect(lastFiring('30 2 * * *', at('2026-03-29T12:00:00Z'))).toBe(at('2026-03-29T02:30:00Z'))
      expect(nextFiring('30 2 * * *', at('2026-10-25T00:00:00Z'))).toBe(at('2026-10-25T02:30:00Z'))
    } finally {
      if (before === undefined) delete process.env['TZ']
      else process.env['TZ'] = before
    }
  })
})
