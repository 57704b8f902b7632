import { entity, featureView } from 'featuregraph'
import { describe, expect, it } from 'vitest'
import { BadUserInput } from '../../src/errors.ts'
import { splitAsked } from '../../src/historical/training/asked-features.ts'
import { selectedFeatures } from '../../src/historical/training/selected-features.ts'
import { buildRegistry } from '../../src/registry/build-registry.ts'

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const device = entity('device', { joinKeys: { customer_id: 'int64', device_no: 'int32' } })
const spending = featureView('spending', { entity: customer, features: { total: 'float64', city: 'string' } })
const usage = featureView('usage', { entity: device, features: { logins: 'int64' } })
const registry = buildRegistry(
  [customer, device, spending, usage].map((value, index) => ({ path: `${index}`, value })),
)
const select = (list: string) => selectedFeatures(registry, { features: splitAsked(list) }, false)

describe('features that are asked for by text', () => {
  it('are of the view, or of its entity in a role whose keys are given once', () => {
    const { vector, joinKeys } = select(
      'usage@payee:logins, spending:total, spending@payee(customer_id=payee_id), usage@home( customer_id = home_id, device_no=home_no )',
    )
    expect(vector.map(({ name }) => name)).toEqual([
      ...['payee__logins', 'total', 'payee__total', 'payee__city', 'home__logins'],
    ])
    expect(joinKeys).toEqual([
      { name: 'payee_id', graphqlName: 'payeeId', type: 'int64' },
      { name: 'device_no', graphqlName: 'deviceNo', type: 'int32' },
      { name: 'customer_id', graphqlName: 'customerId', type: 'int64' },
      { name: 'home_id', graphqlName: 'homeId', type: 'int64' },
      { name: 'home_no', graphqlName: 'homeNo', type: 'int32' },
    ])
    expect(select('spending@a(customer_id=a_id):total,spending@a:total').vector).toHaveLength(1)
  })

  it('are refused with what came and what is right', () => {
    const table = [
      [
        'spending:total:mean',
        'features are asked for as view:feature, in a role as view@payee(customer_id=payee_id):feature; "spending:total:mean" came',
      ],
      ['spendings:total', 'there is no feature view "spendings", did you mean "spending"?'],
      ['spending@payee:totals', 'role "payee" has no join keys; give them once, as spending@payee('],
      [
        'spending@payee(customer_id=payee_id):totals',
        'feature view "spending" has no feature "totals"; did you mean "total"?',
      ],
      [
        'spending@payee(payee_id):total',
        `a role's join keys are given as customer_id=payee_id; "payee_id" came`,
      ],
      [
        'spending@payee(customer=payee_id):total',
        'features "spending@payee(customer=payee_id):total": entity "customer" has no join key "customer"; known: "customer_id"',
      ],
      [
        'usage@payee(device_no=payee_no),spending@payee',
        'features "spending@payee": role "payee" has the join keys of entity "customer" themselves',
      ],
      [
        'usage@payee(customer_id=a_id),spending@payee(customer_id=b_id)',
        'role "payee" takes "customer_id" from "a_id" in one pick and from "b_id" in another',
      ],
      [
        'spending@payee(customer_id=device_no),usage',
        'join key "device_no" is int64 in one entity and int32 in "device"; ask for their features in two training sets',
      ],
    ] as const
    for (const [list, message] of table) {
      expect(() => select(list), list).toThrow(BadUserInput)
      expect(() => select(list), list).toThrow(message)
    }
  })
})
