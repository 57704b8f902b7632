import {
  batch,
  count,
  entity,
  eventSource,
  featureView,
  fileSource,
  postgresSource,
  windowedView,
} from 'featuregraph'

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const device = entity('device', { joinKeys: { shop: 'string', device: 'int32' } })

const payments = eventSource('payments', {
  eventTimestamp: 'ts',
  createdTimestamp: 'loaded',
  eventId: 'id',
  columns: { amount: 'Amount' },
  fields: {
    customer_id: 'int64',
    amount: 'float64',
    note: 'string',
    success: { type: 'bool', default: true },
  },
})
const visits = eventSource('visits', {
  eventTimestamp: 'ts',
  timezone: 'Europe/Berlin',
  fields: { customer_id: 'int64' },
})
const orders = eventSource('orders', {
  eventTimestamp: 'ts',
  fields: { customer_id: 'int64', price: 'float64', state: 'string', colour: 'string' },
  expect: {
    price: { min: 0, action: 'quarantine' },
    state: { oneOf: ['paid', 'open'], action: 'reject' },
    colour: { notNull: true },
  },
})
const counted = [payments, visits, orders].map((source) =>
  windowedView(`${source.name}_counts`, {
    entity: customer,
    source,
    compute: batch({ every: '1d' }),
    features: { n: count('30d') },
  }),
)
export const everyType = {
  an_int32: 'int32',
  an_int64: 'int64',
  a_float32: 'float32',
  a_float64: 'float64',
  a_string: 'string',
  a_bool: 'bool',
  a_timestamp: 'timestamp',
  some_bytes: 'bytes',
  int64_list: 'int64[]',
  float32_list: 'float32[]',
  string_list: 'string[]',
  bool_list: 'bool[]',
  timestamp_list: 'timestamp[]',
  bytes_list: 'bytes[]',
} as const
const scores = fileSource('scores', {
  eventTimestamp: 'ts',
  columns: { shop: 'Shop' },
})
const profile = featureView('profile', { entity: device, source: scores, features: everyType })
const slim = featureView('slim', { entity: device, source: scores, features: { an_int32: 'int32' } })
const checked = featureView('checked', {
  entity: customer,
  source: fileSource('checks', { eventTimestamp: 'ts', createdTimestamp: 'loaded' }),
  features: { n: { type: 'int32', expect: { max: 10, action: 'quarantine' } } },
  expectRows: { min: 2, action: 'reject' },
})
const refunds = eventSource('refunds', {
  eventTimestamp: 'ts',
  createdTimestamp: 'loaded',
  nullCreated: 'arrival',
  fields: { customer_id: 'int64' },
})
const arrived = featureView('arrived', {
  entity: customer,
  source: fileSource('arrivals', {
    eventTimestamp: 'ts',
    createdTimestamp: 'loaded',
    nullCreated: 'arrival',
  }),
  features: { n: 'int32' },
})
const mappedEvents = eventSource('mapped_events', {
  table: 'shop.events',
  eventTimestamp: 'ts',
  fields: { customer_id: 'int64' },
})
const mapped = featureView('mapped', {
  entity: customer,
  online: false,
  source: postgresSource('shop_orders', { table: 'shop.orders', eventTimestamp: 'ts' }),
  features: { n: 'int32' },
})

export const definitions = [
  ...[customer, device, payments, visits, orders, ...counted],
  ...[profile, slim, checked, refunds, arrived, mappedEvents, mapped],
]
