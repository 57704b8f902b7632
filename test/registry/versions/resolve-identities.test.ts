import { describe, expect, it } from 'vitest'
import { entity } from '../../../src/definitions/entity.ts'
import { eventSource } from '../../../src/definitions/event-source.ts'
import { featureView } from '../../../src/definitions/feature-view.ts'
import { type AggregationDefinition, count, mean } from '../../../src/definitions/featuregraph.ts'
import { batch, windowedView } from '../../../src/definitions/windowed-view.ts'
import { InvalidDefinitions } from '../../../src/errors.ts'
import { nextContent } from '../../../src/registry/versions/resolve-identities.ts'
import {
  contentFormat,
  decodeContent,
  encodeContent,
  registryOf,
  type VersionContent,
} from '../../../src/registry/versions/version-content.ts'

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const orders = eventSource('orders', {
  eventTimestamp: 'at',
  fields: { customer_id: 'int64', price: 'float64' },
})

type Features = Parameters<typeof featureView>[1]['features']

function trips(features: Features, options: object = {}) {
  return featureView('trips', { entity: customer, features, ...options })
}

/** Versions one after the other, the last one's content, read back from JSON. */
function versions(...all: readonly (readonly unknown[])[]): VersionContent {
  let content: VersionContent | null = null
  for (const values of all) {
    const definitions = values.map((value, index) => ({ path: `${index}`, value }))
    content = decodeContent(encodeContent(nextContent(content, definitions)), contentFormat)
  }
  if (content === null) throw new TypeError('at least one version')
  return content
}

function problemsOf(...all: readonly (readonly unknown[])[]): readonly string[] {
  try {
    versions(...all)
  } catch (error) {
    if (error instanceof InvalidDefinitions) return error.problems.map(({ message }) => message)
    throw error
  }
  return []
}

describe('what is stored of definitions that change', () => {
  it('is found by the first name of a view, an entity and a feature that are renamed', () => {
    const client = entity('client', { joinKeys: { customer_id: 'int64' }, renamedFrom: 'customer' })
    const rides = featureView('rides', {
      entity: client,
      renamedFrom: 'trips',
      features: { rides_today: { type: 'int32', renamedFrom: 'trips_today' } },
    })
    const content = versions([customer, trips({ trips_today: 'int32' })], [client, rides])
    const { entities, views } = registryOf(content)
    expect(entities[0]).toMatchObject({ name: 'client', id: 'customer' })
    expect(views[0]).toMatchObject({ name: 'rides', id: 'trips' })
    expect(views[0]?.features[0]).toMatchObject({
      ...{ name: 'rides_today', id: 'trips_today' },
      columns: [{ name: 'trips_today', type: 'int32' }],
    })
  })

  it('stays with a renamed view when the definition says so for ever, and with a second rename', () => {
    const once = [customer, featureView('rides', { ...rest(), renamedFrom: 'trips' })]
    const twice = [customer, featureView('journeys', { ...rest(), renamedFrom: 'rides' })]
    const content = versions([customer, trips({ count: 'int32' })], once, once, twice)
    expect(registryOf(content).views[0]).toMatchObject({ name: 'journeys', id: 'trips' })
  })

  it('is not met by a new view or feature that takes the old name', () => {
    const renamed = featureView('rides', {
      ...{ entity: customer, renamedFrom: 'trips' },
      features: { rides: { type: 'int32', renamedFrom: 'count' } },
    })
    const withNews = featureView('rides', {
      ...{ entity: customer, renamedFrom: 'trips' },
      features: { rides: 'int32', count: 'string' },
    })
    const content = versions(
      [customer, trips({ count: 'int32' })],
      [customer, renamed],
      [customer, withNews, trips({ count: 'string' })],
    )
    const [rides, newTrips] = registryOf(content).views
    expect(rides?.id).toBe('trips')
    expect(rides?.features.map(({ columns }) => columns.map(({ name }) => name))).toEqual([
      ['count'],
      ['count_2'],
    ])
    expect(newTrips?.id).toBe('trips_2')
  })

  it('is found again by what was removed and comes back', () => {
    const both = [customer, trips({ count: 'int32', city: 'string' }), featureView('other', rest())]
    const less = [customer, trips({ count: 'int32' })]
    const content = versions(both, less, both)
    expect(versions(both, less).retired).toMatchObject({
      columns: { trips: [{ name: 'city', type: 'string' }] },
      views: [{ id: 'other' }],
    })
    expect(content.identities).toEqual(versions(both).identities)
    expect(content.retired).toEqual({ entities: [], views: [], columns: {} })
  })

  it('of a widened feature stands in its old column, and newer rows in one of the wider type', () => {
    const wide = [
      { name: 'count__int64', type: 'int64' },
      { name: 'count', type: 'int32' },
    ]
    const narrow = [customer, trips({ count: 'int32' })]
    const widened = versions(narrow, [customer, trips({ count: 'int64' })])
    expect(registryOf(widened).views[0]?.features[0]).toMatchObject({ id: 'count', columns: wide })
    const back = versions(narrow, [customer, trips({ count: 'int64' })], narrow)
    expect(registryOf(back).views[0]?.features[0]).toMatchObject({ type: 'int32', columns: wide })
  })

  it('comes back with all the columns of a feature that was widened', () => {
    const wide = [customer, trips({ count: 'int64', city: 'string' })]
    const narrow = [customer, trips({ count: 'int32', city: 'string' })]
    const less = [customer, trips({ city: 'string' })]
    const other = [customer, featureView('other', rest())]
    for (const gone of [less, other])
      expect(versions(narrow, wide, gone, wide).identities).toEqual({
        ...versions(narrow, wide).identities,
        entities: { customer: 'customer' },
      })
  })

  it('keeps a type from being narrowed or changed, and says what to do', () => {
    expect(problemsOf([customer, trips({ count: 'int64' })], [customer, trips({ count: 'int32' })])).toEqual([
      'its stored values are int64, int32 came: a type can be widened (int32 to int64, float32 to float64), nothing else; name a new feature, as count_v2',
    ])
    expect(
      problemsOf([customer, trips({ city: 'string' })], [customer, trips({ city: 'bool' })]),
    ).toHaveLength(1)
  })

  it('may have any type where snapshots are computed anew', () => {
    const of = (feature: AggregationDefinition) =>
      windowedView('spent', {
        entity: customer,
        source: orders,
        compute: batch({ every: '1d' }),
        features: { f: feature },
      })
    const content = versions([customer, orders, of(count('7d'))], [customer, orders, of(mean('price', '7d'))])
    expect(registryOf(content).views[0]?.features[0]?.columns).toEqual([
      { name: 'f__float64', type: 'float64' },
    ])
  })

  it('is by its join keys, which an entity keeps', () => {
    const other = entity('customer', { joinKeys: { customer_id: 'string' } })
    const views = trips({ count: 'int32' })
    expect(problemsOf([customer, views], [other, views])).toEqual([
      'rows of feature view "trips" are stored by (customer_id int64), (customer_id string) came; define another entity, and views of it',
    ])
    const device = entity('device', { joinKeys: { customer_id: 'int64' } })
    const moved = featureView('trips', { entity: device, features: { count: 'int32' } })
    expect(problemsOf([customer, device, views], [customer, device, moved])).toHaveLength(1)
  })

  it('is not taken from a definition that is still there', () => {
    const rides = featureView('rides', { ...rest(), renamedFrom: 'trips' })
    const old = trips({ count: 'int32' })
    expect(problemsOf([customer, old], [customer, old, rides])).toEqual([
      '"trips" is still defined; a rename takes what is stored of it, so leave one of them out',
    ])
  })
})

function rest() {
  return { entity: customer, features: { count: 'int32' as const } }
}
