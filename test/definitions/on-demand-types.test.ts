import {
  batch,
  count,
  entity,
  eventSource,
  featureView,
  max,
  mean,
  min,
  onDemandView,
  request,
  sum,
  windowedView,
} from 'featuregraph'
import { describe, expectTypeOf, it } from 'vitest'

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const payments = eventSource('payments', {
  eventTimestamp: 'at',
  fields: { customer_id: 'int64', amount: { type: 'decimal(2)' }, items: 'int32', shop: 'string' },
})
const spent = windowedView('spent', {
  entity: customer,
  source: payments,
  compute: batch({ every: '1d' }),
  features: {
    payments_30d: count('30d'),
    mean_30d: mean('amount', '30d'),
    most_30d: max('amount', '30d'),
    items_30d: sum('items', '30d'),
    first_shop: min('shop', '30d'),
  },
})
const profile = featureView('profile', {
  entity: customer,
  features: { vip: 'bool', languages: { type: 'string[]', description: 'As in the account' } },
})

describe('the input of an on-demand view', () => {
  it('has the names and types of what is picked, null where it may be missing, and of request values', () => {
    onDemandView('compared', {
      inputs: [
        spent.pick('payments_30d', 'mean_30d', { name: 'most_30d', as: 'most' }),
        spent.pick('items_30d', 'first_shop'),
        profile.pick('vip', 'languages'),
        request('amount', 'float64'),
        request('currency', 'string', { description: 'ISO 4217' }),
        request('discount', 'float64', { default: 0 }),
      ],
      features: { ratio: 'float64', shops: { type: 'string[]' } },
      compute: (input) => {
        expectTypeOf(input).toEqualTypeOf<{
          readonly payments_30d: number | string | null
          readonly mean_30d: number | null
          readonly most: number | null
          readonly items_30d: number | string | null
          readonly first_shop: string | null
          readonly vip: boolean | null
          readonly languages: readonly string[] | null
          readonly amount: number | null
          readonly currency: string | null
          readonly discount: number
        }>()
        return { ratio: input.amount, shops: input.languages }
      },
    })
  })

  it('has no feature that was not picked', () => {
    onDemandView('compared', {
      inputs: [spent.pick('mean_30d')],
      features: { ratio: 'float64' },
      // @ts-expect-error payments_30d was not picked
      compute: ({ payments_30d }) => ({ ratio: payments_30d }),
    })
    // @ts-expect-error the view has no such feature
    spent.pick('payments_90d')
  })
})

describe('the answer of an on-demand view', () => {
  it('has every feature, by its type, and is no promise', () => {
    const inputs = [request('amount', 'float64')] as const
    onDemandView('wrong_type', {
      ...{ entity: customer, inputs, features: { ratio: 'float64' } },
      // @ts-expect-error a float64 is a number
      compute: () => ({ ratio: 'much' }),
    })
    onDemandView('missing', {
      ...{ entity: customer, inputs, features: { ratio: 'float64', is_new: 'bool' } },
      // @ts-expect-error is_new is missing
      compute: ({ amount }) => ({ ratio: amount }),
    })
    onDemandView('promised', {
      ...{ entity: customer, inputs, features: { ratio: 'float64' } },
      // @ts-expect-error a promise is no answer
      compute: async ({ amount }) => ({ ratio: amount }),
    })
  })

  it('can be picked for a service by its features alone', () => {
    const view = onDemandView('compared', {
      inputs: [spent.pick('mean_30d')],
      features: { ratio: 'float64' },
      compute: ({ mean_30d }) => ({ ratio: mean_30d }),
    })
    expectTypeOf(view.pick('ratio').kind).toEqualTypeOf<'pick'>()
    // @ts-expect-error the view has no such feature
    view.pick('mean_30d')
  })
})
