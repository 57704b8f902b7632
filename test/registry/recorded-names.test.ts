import { expect, it } from 'vitest'
import { entity } from '../../src/definitions/entity.ts'
import { eventSource } from '../../src/definitions/event-source.ts'
import { featureView } from '../../src/definitions/feature-view.ts'
import { recordedNames } from '../../src/registry/recorded-names.ts'
import { nextContent } from '../../src/registry/versions/resolve-identities.ts'
import { registryOf, type VersionContent } from '../../src/registry/versions/version-content.ts'

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const fields = { customer_id: 'int64' } as const
const shape = { entity: customer, features: { n: 'int32' } } as const
const filed = (...values: readonly unknown[]) => values.map((value, index) => ({ path: `${index}`, value }))

it('what is recorded of a view is listed under its name of today, and of sources and removed views as it stands', () => {
  const rides = featureView('rides', { ...shape, renamedFrom: 'trips' })
  const paid = featureView('paid', { ...shape, renamedFrom: 'orders' })
  const orders = eventSource('orders', { eventTimestamp: 'at', fields })
  const first = filed(customer, featureView('trips', shape), featureView('orders', shape))
  const renamed = filed(customer, rides, paid, orders)
  const again = filed(customer, rides, paid, orders, featureView('trips', shape))
  const content = [first, renamed].reduce(nextContent, null as VersionContent | null)
  const { idOf, nameOf } = recordedNames(registryOf(nextContent(content, again)))
  expect(['rides', 'trips', 'orders', 'gone'].map(idOf)).toEqual(['trips', 'trips_2', 'orders', 'gone'])
  expect(['trips', 'trips_2', 'orders', 'gone'].map(nameOf)).toEqual(['rides', 'trips', 'orders', 'gone'])
})
