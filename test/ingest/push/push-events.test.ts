import { entity, eventSource, stream, sum, windowedView } from 'featuregraph'
import { expect, it } from 'vitest'
import { StoreFailed } from '../../../src/errors.ts'
import { eventPusher } from '../../../src/ingest/push/push-events.ts'
import { buildRegistry } from '../../../src/registry/build-registry.ts'
import { at } from '../../graph/run-operation.ts'

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const payments = eventSource('payments', {
  eventTimestamp: 'ts',
  eventId: 'id',
  fields: { customer_id: 'int64', amount: 'float64' },
  expect: { amount: { max: 100, action: 'quarantine' } },
})
const view = windowedView('recent', {
  entity: customer,
  source: payments,
  compute: stream(),
  features: { total: sum('amount', '1h') },
})
const [source] = buildRegistry(
  [customer, payments, view].map((value, index) => ({ path: `definition ${index}`, value })),
).eventSources

it('answers for each event that the offline store was away, and what to do, and goes on', async () => {
  const away = () => Promise.reject(new StoreFailed('away'))
  const reported: unknown[] = []
  const push = eventPusher({
    events: { now: away, append: away, deletedEvents: away },
    violations: { record: away },
    clock: () => at('2026-11-23T12:00:00Z'),
    observe: { processed: (_, counts) => reported.push(counts) },
    reach: () => Number.POSITIVE_INFINITY,
    storeFailed: (store, error) => reported.push([store, error.message]),
  })
  if (!source) throw new Error('no source')
  const event = { ts: '2026-11-23T11:00:00Z', customer_id: 1 }
  const outcomes = await push(source, [
    { json: { ...event, id: 'a' } },
    { json: event },
    { json: { ...event, amount: 101 } },
    { json: 5 },
    { unreadable: 'a line has at most 1 bytes' },
  ])
  const unavailable = (message: RegExp) => ({
    accepted: false,
    code: 'UNAVAILABLE',
    message: expect.stringMatching(message),
  })
  expect(outcomes).toEqual([
    unavailable(/not known: send it again, by its id it counts once$/),
    unavailable(/not known: it has no id, so that sent again it may count twice$/),
    unavailable(/was to be quarantined and could not be stored: send it again$/),
    { accepted: false, code: 'INVALID_EVENT', message: 'expected a JSON object, one a line' },
    { accepted: false, code: 'INVALID_EVENT', message: 'a line has at most 1 bytes' },
  ])
  expect(reported).toEqual([['offline', 'away'], ['offline', 'away'], { stored: 0, late: 0, deadLetters: 0 }])
})
