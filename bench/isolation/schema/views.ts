import { entity, featureView } from 'featuregraph'
import { spendFeatures, wideFeatures } from '../world.ts'

export const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })

const floats = (names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [name, 'float64' as const]))

export const customerSpend = featureView('customer_spend', {
  entity: customer,
  features: floats(spendFeatures),
})

export const customerWide = featureView('customer_wide', { entity: customer, features: floats(wideFeatures) })

export const customerNote = featureView('customer_note', { entity: customer, features: { note: 'string' } })
