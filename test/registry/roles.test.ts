import { entity, featureService, featureView, request } from 'featuregraph'
import { describe, expect, it } from 'vitest'
import { InvalidDefinitions } from '../../src/errors.ts'
import { buildRegistry } from '../../src/registry/build-registry.ts'
import type { FeatureService } from '../../src/registry/registry.ts'
import { registryDigest } from '../../src/registry/registry-digest.ts'
import { type Change, changesBetween } from '../../src/registry/versions/changes.ts'
import { nextContent } from '../../src/registry/versions/resolve-identities.ts'
import {
  decodeContent,
  encodeContent,
  registryOf,
  type VersionContent,
} from '../../src/registry/versions/version-content.ts'

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const spending = featureView('spending', {
  entity: customer,
  features: {
    total_30d: { type: 'float64', default: 3 },
    vip: { type: 'bool', graphqlName: 'isVIP' },
    city: 'string',
  },
})
const device = entity('customer_device', { joinKeys: { customer_id: 'int64', device_no: 'int32' } })
const usage = featureView('usage', { entity: device, features: { logins: 'int64' } })
const account = entity('account', {
  joinKeys: { payee_id: { type: 'int64', graphqlName: 'PayeeNumber' }, account_no: 'int32' },
})
const balance = featureView('balance', { entity: account, features: { open: 'float64' } })
const shared = [customer, spending, device, usage, account, balance]

const payee = spending.as('payee', { customer_id: 'payee_id' })
const fraud = (...features: Parameters<typeof featureService>[1]) => featureService('fraud_v1', features)

function build(...values: readonly unknown[]) {
  return buildRegistry([...shared, ...values].map((value, index) => ({ path: `${index}`, value })))
}

function serviceOf(...features: Parameters<typeof featureService>[1]): FeatureService {
  const [service] = build(fraud(...features)).services
  if (!service) throw new Error('there is no service')
  return service
}

/** Each as `path: message`, without the file and the service. */
function problemsOf(...features: Parameters<typeof featureService>[1]): readonly string[] {
  try {
    serviceOf(...features)
  } catch (error) {
    if (!(error instanceof InvalidDefinitions)) throw error
    return error.problems.map(
      ({ path, message }) =>
        `${path.replace(/ \(\d+\)$/, '').replace(/^feature service fraud_v1\.?/, '')}: ${message}`,
    )
  }
  return []
}

const keysOf = ({ joinKeys }: FeatureService) =>
  joinKeys.map(({ name, graphqlName, type }) => `${name} ${graphqlName} ${type}`)

describe('an entity in a role', () => {
  it('brings a join key of its own and names of its own into the service, and shares what is not mapped', () => {
    const service = serviceOf(
      spending.pick('total_30d', 'vip'),
      payee.pick('total_30d', { name: 'vip', as: 'knows_payee', default: 1 }),
      payee.pick('vip'),
      usage.as('payee', { customer_id: 'payee_id' }).pick('logins'),
      request('amount', 'float64'),
    )
    expect(service.vector.map(({ name, graphqlName }) => [name, graphqlName])).toEqual([
      ['total_30d', 'total30d'],
      ['vip', 'isVIP'],
      ['payee__total_30d', 'payeeTotal30d'],
      ['knows_payee', 'knowsPayee'],
      ['payee__vip', 'payeeIsVIP'],
      ['payee__logins', 'payeeLogins'],
      ['amount', 'amount'],
    ])
    expect(service.vector.map((entry) => entry.default)).toEqual([3, 0, 3, 1, 0, 0, 0])
    expect(service.vector.map((entry) => entry.kind === 'feature' && entry.role)).toEqual([
      ...[null, null, 'payee', 'payee', 'payee', 'payee', false],
    ])
    expect(keysOf(service)).toEqual([
      'customer_id customerId int64',
      'payee_id payeeId int64',
      'device_no deviceNo int32',
    ])
    expect(service.entities.map(({ name }) => name)).toEqual(['customer', 'customer_device'])
  })

  it('may stand in a service alone, and in several roles, which may share a key', () => {
    const service = serviceOf(
      payee.pick('total_30d'),
      spending.as('friend', { customer_id: 'friend_id' }).pick('total_30d'),
      spending.as('heir', { customer_id: 'friend_id' }).pick('total_30d'),
    )
    expect(keysOf(service)).toEqual(['payee_id payeeId int64', 'friend_id friendId int64'])
  })

  it("is asked for by another entity's own key where it is named so, in any order", () => {
    const own = ['payee_id PayeeNumber int64', 'account_no accountNo int32']
    expect(keysOf(serviceOf(balance.pick('open'), payee.pick('vip')))).toEqual(own)
    expect(keysOf(serviceOf(payee.pick('vip'), balance.pick('open')))).toEqual(own)
  })

  it('is defined as well by a plain object', () => {
    const role = { name: 'payee', keys: { customer_id: 'payee_id' } }
    expect(payee.pick('vip')).toEqual({ kind: 'pick', view: 'spending', role, features: [{ name: 'vip' }] })
    const plain = { kind: 'pick' as const, view: 'spending', role, features: [{ name: 'vip' }] }
    expect(serviceOf(plain)).toEqual(serviceOf(payee.pick('vip')))
  })

  it('has join keys of the entity and features of the view, by their types', () => {
    // @ts-expect-error it is no join key of the entity
    spending.as('payee', { customer: 'payee_id' })
    // @ts-expect-error it is no feature of the view
    payee.pick('total')
    usage.as('payee', { device_no: 'payee_device' }).pick('logins')
  })

  it('is refused with what is wrong and what to do', () => {
    const plain = (keys: Readonly<Record<string, string>>, name = 'payee') => ({
      ...{ kind: 'pick' as const, view: 'spending', role: { name, keys }, features: [{ name: 'vip' }] },
    })
    const table = [
      [
        [plain({ custmer_id: 'payee_id' })],
        `features[0].role: entity "customer" has no join key "custmer_id"; did you mean "customer_id"?`,
        `features[0].role: role "payee" has the join keys of entity "customer" themselves; give one of them another name, as { customer_id: 'payee_id' }`,
      ],
      [
        [plain({ customer_id: 'customer_id' })],
        `features[0].role: role "payee" has the join keys of entity "customer" themselves; give one of them another name, as { customer_id: 'payee_id' }`,
      ],
      [
        [plain({})],
        `features[0].role.keys: a role has a join key of its own, as { customer_id: 'payee_id' }`,
      ],
      [
        [plain({ customer_id: 'Payee' }, 'Payee')],
        'features[0].role.name: a name matches ^[a-z][a-z0-9_]{0,62}$: lower case letters, digits and _, a letter first',
        'features[0].role.keys.customer_id: a name matches ^[a-z][a-z0-9_]{0,62}$: lower case letters, digits and _, a letter first',
      ],
      [
        [payee.pick('vip'), usage.as('payee', { customer_id: 'other_id' }).pick('logins')],
        `features[1].role: role "payee" takes "customer_id" from "payee_id" in one pick and from "other_id" in another; a role has one name for a join key`,
      ],
      [
        [usage.as('payee', { customer_id: 'device_no' }).pick('logins')],
        `features[0].role: role "payee" takes "customer_id" and "device_no" of entity "customer_device" from one "device_no"; give them two names`,
        `features: join key "device_no" is int64 in entity "customer_device" as payee and int32 in "customer_device" as payee; a service needs them alike`,
      ],
      [
        [spending.as('payee', { customer_id: 'account_no' }).pick('vip'), balance.pick('open')],
        `features: join key "account_no" is int64 in entity "customer" as payee and int32 in "account"; a service needs them alike`,
      ],
      [
        [payee.pick('vip', 'vip')],
        `features: two values are named "payee__vip"; pick it as { name: 'payee__vip', as: 'another_name' }`,
      ],
      [
        [payee.pick('vip'), request('payee_id', 'int64')],
        ` (payee_id): "payeeId" is taken among the fields of FraudV1 by feature service fraud_v1 (join key payee_id); rename one of them or set graphqlName to another name`,
      ],
      [
        [spending.as('payee', { customer_id: 'event_timestamp' }).pick('vip')],
        ` (role payee, customer_id): "event_timestamp" is a column that every feature table has; rename it`,
      ],
      [
        [payee.pick('vip'), spending.as('giver', { customer_id: 'payee__id' }).pick('vip')],
        ` (join key payee__id): "payeeId" is taken among the fields of FraudV1 by feature service fraud_v1 (join key payee_id); rename one of them or set its role's key to another name`,
      ],
    ] as const
    for (const [features, ...problems] of table) expect(problemsOf(...features)).toEqual(problems)
  })
})

const definitionsOf = (...values: readonly unknown[]) =>
  values.map((value, index) => ({ path: `${index}`, value }))

function changed(before: VersionContent, ...after: readonly unknown[]): readonly string[] {
  const shown = ({ place, text, breaks }: Change) => `${place}: ${text} [${breaks.join()}]`
  return changesBetween(before, nextContent(before, definitionsOf(...after))).map(shown)
}

describe('a version of the registry', () => {
  const service = fraud(spending.pick('vip'), payee.pick('vip'))
  const first = nextContent(null, definitionsOf(customer, spending, service))

  it('holds the roles of a service', () => {
    const again = decodeContent(encodeContent(first), 1)
    expect(registryOf(again).services[0]?.roles).toEqual([
      { name: 'payee', keys: [{ joinKey: 'customer_id', name: 'payee_id' }] },
    ])
    expect(registryDigest(registryOf(again))).toBe(registryDigest(registryOf(first)))
  })

  it('says what of a role changes, and what that breaks', () => {
    const other = (name: string, key: string) => [
      ...[customer, spending],
      fraud(spending.pick('vip'), spending.as(name, { customer_id: key }).pick('vip')),
    ]
    const place = 'feature service fraud_v1'
    expect(changed(first, ...other('payee', 'payee_id'))).toEqual([])
    expect(changed(first, ...other('payee', 'heir_id'))).toEqual([
      `${place}: role payee: customer_id = payee_id → customer_id = heir_id [services]`,
      `${place}: join keys: customer_id int64, payee_id int64 → customer_id int64, heir_id int64 [graphql,services]`,
    ])
    expect(changed(first, ...other('heir', 'payee_id'))).toEqual([
      `${place}: heir__vip added (bool, of spending as heir) [services]`,
      `${place}: payee__vip removed [graphql,services]`,
    ])
    const swapped = fraud(
      spending.as('payee', { customer_id: 'a_id' }).pick('vip'),
      spending.as('payer', { customer_id: 'b_id' }).pick('vip'),
    )
    const before = nextContent(null, definitionsOf(customer, spending, swapped))
    const roles = fraud(
      spending.as('payee', { customer_id: 'b_id' }).pick('vip'),
      spending.as('payer', { customer_id: 'a_id' }).pick('vip'),
    )
    expect(changed(before, customer, spending, roles)).toEqual([
      `${place}: role payee: customer_id = a_id → customer_id = b_id [services]`,
      `${place}: role payer: customer_id = b_id → customer_id = a_id [services]`,
      `${place}: join keys: a_id int64, b_id int64 → b_id int64, a_id int64 []`,
    ])
  })

  it('follows a renamed entity, view and feature into a role', () => {
    const person = entity('person', { joinKeys: { customer_id: 'int64' }, renamedFrom: 'customer' })
    const costs = featureView('costs', {
      ...{ entity: person, renamedFrom: 'spending' },
      features: {
        total_30d: { type: 'float64', default: 3 },
        is_vip: { type: 'bool', graphqlName: 'isVIP', renamedFrom: 'vip' },
        city: 'string',
      },
    })
    const next = fraud(
      costs.pick('is_vip'),
      costs.as('payee', { customer_id: 'payee_id' }).pick({ name: 'is_vip', as: 'payee__vip' }),
    )
    const changes = changed(first, person, costs, next)
    expect(changes.filter((text) => text.startsWith('feature service'))).toEqual([
      'feature service fraud_v1: is_vip renamed from vip [services]',
      'feature service fraud_v1: origin of is_vip: spending.vip → costs.is_vip []',
      'feature service fraud_v1: graphqlName of payee__vip: payeeIsVIP → payeeVip [graphql]',
      'feature service fraud_v1: origin of payee__vip: spending.vip as payee → costs.is_vip as payee []',
    ])
  })

  it('without roles has the digest that it had before there were any', () => {
    const without = build(fraud(spending.pick('vip'), request('amount', 'float64')))
    expect(registryDigest(without)).toBe('1355dee97f56')
  })
})
