import {
  batch,
  count,
  entity,
  eventSource,
  featureService,
  featureView,
  fileSource,
  max,
  mean,
  postgresSource,
  request,
  stream,
  sum,
  windowedView,
} from 'featuregraph'
import { describe, expect, it } from 'vitest'
import { compareVersions } from '../../src/cli/plan/compare-versions.ts'
import { planText } from '../../src/cli/plan/plan-text.ts'
import { estimateAll } from '../../src/registry/versions/estimate.ts'
import { recomputationsBetween } from '../../src/registry/versions/recomputations.ts'
import { nextContent } from '../../src/registry/versions/resolve-identities.ts'
import { registryOf } from '../../src/registry/versions/version-content.ts'
import { fixedEstimates } from '../registry/versions/fixed-estimates.ts'
import { expectGolden, goldenFiles } from './golden-file.ts'

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const fields = { customer_id: 'int64', shop: 'string', amount: 'float64', success: 'bool' } as const
const orders = eventSource('orders', { topic: 'orders', eventTimestamp: 'at', fields })
const refunds = eventSource('refunds', { topic: 'refunds', eventTimestamp: 'at', fields })
const dailyFeatures = { total_30d: sum('amount', '30d'), largest_7d: max('amount', '7d') }
const daily = windowedView('daily_orders', {
  ...{ entity: customer, source: orders, compute: batch({ every: '1d' }), features: dailyFeatures },
})
const recentFeatures = { orders_1h: count('1h'), failed_1h: count('1h', { where: { success: false } }) }
const recent = windowedView('recent_orders', {
  ...{ entity: customer, source: orders, compute: stream(), features: recentFeatures },
})
const profile = featureView('profile', {
  entity: customer,
  features: { age: 'int32', city: 'string', height: { type: 'float32', unit: 'cm', default: 170 } },
})
const crm = postgresSource('crm', { table: 'crm.customers', eventTimestamp: 'changed_at' })
const segment = featureView('segment', { entity: customer, source: crm, features: { score: 'float64' } })
const fraud = featureService('fraud_v1', [
  daily.pick('total_30d', 'largest_7d'),
  recent.pick('orders_1h'),
  profile.pick('height'),
  request('basket', 'float64'),
])
const world = { customer, orders, refunds, daily, recent, profile, segment, fraud }
type World = { readonly [Name in keyof typeof world]?: object | undefined } & Record<
  string,
  object | undefined
>

/** Each with the definitions that are other than in the world before; undefined for those that are gone. */
const evolutions: Readonly<Record<string, World>> = {
  'nothing-changed': {},
  'words-alone': {
    customer: entity('customer', {
      ...{ joinKeys: { customer_id: 'int64' }, description: 'Who buys', owner: 'growth' },
    }),
    profile: { ...profile, tags: { team: 'growth' }, ttl: '90d', online: false },
    daily: {
      ...{ ...daily, schedule: { batch: '0 4 * * *' }, expectRows: { min: 1 } },
      features: {
        ...dailyFeatures,
        total_30d: sum('amount', '30d', {
          expect: { min: 0 },
          deprecated: 'use total_90d',
          description: 'CHF',
        }),
      },
    },
  },
  added: {
    till: entity('till', { joinKeys: { shop: 'string' } }),
    tills: windowedView('till_orders', {
      ...{ entity: entity('till', { joinKeys: { shop: 'string' } }), source: orders, compute: stream() },
      features: { sales_1d: sum('amount', '1d') },
    }),
    orders: { ...orders, fields: { ...fields, currency: 'string' } },
    daily: { ...daily, features: { ...dailyFeatures, mean_30d: mean('amount', '30d') } },
    recent: { ...recent, features: { ...recentFeatures, orders_1d: count('1d') } },
    profile: { ...profile, features: { ...profile.features, weight: 'float32' } },
    fraud2: featureService('fraud_v2', [daily.pick('total_30d')]),
  },
  removed: {
    recent: undefined,
    segment: undefined,
    fraud: undefined,
    refunds: undefined,
    daily: { ...daily, features: { total_30d: dailyFeatures.total_30d } },
  },
  renamed: {
    customer: entity('client', { joinKeys: { customer_id: 'int64' }, renamedFrom: 'customer' }),
    daily: { ...daily, entity: 'client', graphqlName: 'daily' },
    recent: { ...recent, entity: 'client' },
    segment: { ...segment, entity: 'client' },
    profile: {
      ...{ ...profile, entity: 'client', name: 'person', renamedFrom: 'profile' },
      features: {
        ...{ age: 'int32', town: { type: 'string', renamedFrom: 'city' } },
        size: { type: 'float32', unit: 'cm', default: 170, renamedFrom: 'height', graphqlName: 'height' },
      },
    },
    fraud: featureService('fraud_v1', [
      ...[daily.pick('total_30d', 'largest_7d'), recent.pick('orders_1h')],
      { kind: 'pick', view: 'person', features: [{ name: 'size', as: 'height' }] },
      request('basket', 'float64'),
    ]),
  },
  meaning: {
    daily: {
      ...daily,
      compute: batch({ every: '6h' }),
      features: {
        total_30d: sum('amount', '7d', { where: { success: true } }),
        largest_7d: mean('amount', '7d', { hop: '1d', unit: 'CHF' }),
      },
    },
    recent: { ...recent, features: { ...recentFeatures, orders_1h: count('2h') } },
    profile: {
      ...{
        ...profile,
        features: { ...profile.features, height: { type: 'float32', unit: 'm', default: 1.7 } },
      },
    },
  },
  'computed-otherwise': {
    daily: { ...daily, source: 'refunds' },
    recent: { ...recent, compute: batch({ every: '1h' }) },
    segment: { ...segment, source: { ...crm, table: 'crm.clients', columns: { score: 'points' } } },
    profile: { ...profile, source: fileSource('people', { eventTimestamp: 'at' }) },
  },
  types: {
    profile: {
      ...profile,
      features: { ...profile.features, age: 'int64', height: { type: 'float64', unit: 'cm', default: 170 } },
    },
    orders: { ...orders, fields: { ...fields, amount: 'int64' } },
  },
  'events-from-elsewhere': {
    orders: {
      ...orders,
      ...{ topic: 'orders_eu', retention: '90d', timezone: 'Europe/Zurich', columns: { amount: 'price' } },
    },
  },
  services: {
    fraud: featureService(
      'fraud_v1',
      [
        recent.pick('orders_1h', 'failed_1h'),
        daily.pick({ name: 'total_30d', default: -1 }),
        request('basket', 'int64', { default: 0 }),
        request('country', 'int32'),
      ],
      { graphqlName: 'fraud' },
    ),
  },
  'renamed-from-nothing': {
    profile: { ...profile, name: 'people', renamedFrom: 'persons' },
    fraud: undefined,
  },
}

const definitions = (other: World) =>
  Object.values({ ...world, ...other }).flatMap((value, index) =>
    value === undefined ? [] : [{ path: `${index}`, value }],
  )

describe('a plan says in words what changes, what that breaks and what is computed again', () => {
  const before = nextContent(null, definitions({}))

  for (const [name, other] of Object.entries(evolutions))
    it(name, async () => {
      const after = nextContent(before, definitions(other))
      const again = recomputationsBetween(registryOf(before), registryOf(after))
      const text = planText(
        {
          ...(await compareVersions(before, after)),
          ...{ version: 3, called: 'project default', folder: 'schema', begun: null },
          estimates: await estimateAll(again, fixedEstimates),
        },
        false,
      )
      await expectGolden(`plan/${name}.txt`, text)
    })

  it('before anything was applied, and with what was begun', async () => {
    const text = planText(
      {
        ...(await compareVersions(null, before)),
        ...{ version: 0, called: 'project default', folder: 'schema', estimates: [] },
        begun: { kind: 'APPLY', base: 0, by: 'ana', begunAt: 1_795_168_800_000_000, isHeld: false },
      },
      false,
    )
    await expectGolden('plan/first.txt', text)
    expect(await goldenFiles('plan')).toEqual(
      [...Object.keys(evolutions), 'first'].map((one) => `${one}.txt`).sort(),
    )
  })
})
