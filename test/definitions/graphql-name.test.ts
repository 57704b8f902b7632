import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fieldName, plural, raiseFirst, typeName } from '../../src/definitions/graphql-name.ts'
import { explicitGraphqlName, registryName } from '../../src/definitions/name.ts'

describe('GraphQL names', () => {
  it.each([
    ['customer', 'customer', 'Customer'],
    ['customer_transaction_features', 'customerTransactionFeatures', 'CustomerTransactionFeatures'],
    ['total_transactions_30d', 'totalTransactions30d', 'TotalTransactions30d'],
    ['fraud_detection_v1', 'fraudDetectionV1', 'FraudDetectionV1'],
    ['a', 'a', 'A'],
    ['a__b', 'aB', 'AB'],
    ['a_', 'a', 'A'],
    ['a_1_b', 'a1B', 'A1B'],
    ['x_y_z', 'xYZ', 'XYZ'],
  ])('of %s are %s and %s', (name, field, type) => {
    expect(fieldName(name)).toBe(field)
    expect(typeName(name)).toBe(type)
  })

  it('of every registry name are valid, without underscores', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z][a-z0-9_]{0,62}$/), (name) => {
        expect(registryName.safeParse(name).success).toBe(true)
        expect(fieldName(name)).toMatch(/^[a-z][A-Za-z0-9]*$/)
        expect(typeName(name)).toBe(raiseFirst(fieldName(name)))
        expect(explicitGraphqlName.safeParse(fieldName(name)).success).toBe(true)
      }),
    )
  })

  it.each([
    ['customer', 'customers'],
    ['merchantDevice', 'merchantDevices'],
    ['bus', 'buses'],
    ['class', 'classes'],
    ['box', 'boxes'],
    ['quiz', 'quizes'],
    ['batch', 'batches'],
    ['dish', 'dishes'],
    ['city', 'cities'],
    ['day', 'days'],
    ['key', 'keys'],
    ['company', 'companies'],
    ['apiKey', 'apiKeys'],
    ['userBOX', 'userBOXes'],
    ['y', 'ys'],
    ['series', 'serieses'],
  ])('of a list of %s is %s', (name, expected) => {
    expect(plural(name)).toBe(expected)
  })
})

describe('names in definitions', () => {
  it.each(['', 'A', 'aB', '1a', '_a', '__a', 'a-b', 'a b', 'a.b', 'ä', 'a\n', `a${'b'.repeat(63)}`])(
    'refuse %j in the registry',
    (name) => {
      expect(registryName.safeParse(name).error?.issues[0]?.message).toBe(
        'a name matches ^[a-z][a-z0-9_]{0,62}$: lower case letters, digits and _, a letter first',
      )
    },
  )

  it.each(['', '1a', '__typename', '_a', 'a-b', 'ä', 'a\n', `a${'b'.repeat(127)}`])(
    'refuse %j as an explicit GraphQL name',
    (name) => {
      expect(explicitGraphqlName.safeParse(name).success).toBe(false)
    },
  )
})
