import { entity, featureService, featureView, request } from 'featuregraph'
import { day, hour, makeWorld, now, row, second, type World } from './run-operation.ts'

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })
const device = entity('merchant_device', { joinKeys: { merchant_id: 'string', device_no: 'int32' } })

const customerDaily = featureView('customer_daily', {
  entity: customer,
  ttl: '90d',
  features: {
    total: 'float64',
    count: { type: 'int64', default: 4 },
    vip: 'bool',
    segment: 'string',
    scores: 'float64[]',
    big_counts: 'int64[]',
    last_seen: 'timestamp',
    photo: 'bytes',
    visits: 'int32',
    ratio: 'float32',
  },
})
const customerRecent = featureView('customer_recent', {
  entity: customer,
  ttl: '1h',
  features: { count: 'int64', amount: 'float64' },
})
const customerProfile = featureView('customer_profile', {
  entity: customer,
  online: false,
  features: { country: 'string', age: 'int32' },
})
const deviceRisk = featureView('device_risk', {
  entity: device,
  features: { risk: { type: 'float32', default: 0.5 }, blocked: 'bool' },
})

const riskV1 = featureService('risk_v1', [
  customerDaily.pick('total', 'count', 'vip'),
  request('amount', 'float64'),
  deviceRisk.pick({ name: 'risk', default: 0.75 }, 'blocked'),
  customerRecent.pick({ name: 'count', as: 'count_recent' }),
  request('attempts', 'int64', { default: 3 }),
  request('by_phone', 'bool'),
])

const definitions = [
  customer,
  device,
  customerDaily,
  customerRecent,
  customerProfile,
  deviceRisk,
  riskV1,
] as const

/** An int64 that no JSON number holds. */
export const bigId = '9007199254740993'

/**
 * Customer 1 has everything, 2 an old daily row (outside its ttl) and a recent one of nulls, `bigId` large integers, 3
 * only a profile; device (m1, 7) has a risk and no `blocked`. Nothing else is known.
 */
export async function smallWorld(options: Parameters<typeof makeWorld>[1] = {}): Promise<World> {
  const world = await makeWorld(definitions, options)
  await world.write(
    'customer_daily',
    row({ customer_id: 1 }, now - 50 * day, { total: 10, count: 1 }),
    row({ customer_id: 1 }, now - 2 * hour, {
      total: 12.5,
      count: 3,
      vip: true,
      segment: 'a "b"',
      scores: [0.5, 2],
      big_counts: [1, bigId],
      last_seen: now - hour - 1,
      photo: Buffer.from([0, 255]),
      visits: -7,
      ratio: 0.1,
    }),
    row({ customer_id: 2 }, now - 95 * day, { total: 1 }),
    row({ customer_id: bigId }, now - day, { count: bigId, vip: false, scores: [] }),
  )
  await world.write(
    'customer_recent',
    row({ customer_id: 1 }, now - hour / 2, { count: 2, amount: 9.75 }),
    row({ customer_id: 2 }, now - 10 * second, {}),
  )
  await world.write(
    'customer_profile',
    row({ customer_id: 1 }, now - 400 * day, { country: 'CH', age: 40 }),
    row({ customer_id: 3 }, now - day, { country: 'AT' }),
  )
  await world.write('device_risk', row({ merchant_id: 'm1', device_no: 7 }, now - hour, { risk: 0.1 }))
  world.forget()
  return world
}
