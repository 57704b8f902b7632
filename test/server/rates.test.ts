import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RateLimited } from '../../src/errors.ts'
import { callerRates } from '../../src/server/admission/rates.ts'
import { tokenBucket } from '../../src/server/admission/token-bucket.ts'
import { payerOfAddress } from '../../src/server/payer-of-address.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { startTestGateway, type TestGateway } from './start-test-gateway.ts'

describe('a token bucket', () => {
  it('gives in any time at most one second more than its rate, and the largest request once', () => {
    const asks = fc.array(fc.record({ tokens: fc.integer({ min: 1, max: 50 }), pause: fc.nat(3_000) }))
    fc.assert(
      fc.property(asks, fc.integer({ min: 1, max: 20 }), (asked, perSecond) => {
        const bucket = tokenBucket(perSecond, 0)
        let [now, taken, largest] = [0, 0, 0]
        for (const { tokens, pause } of asked) {
          now += pause
          if (bucket.take(tokens, now) !== null) continue
          taken += tokens
          largest = Math.max(largest, tokens)
          expect(taken).toBeLessThanOrEqual(perSecond * (1 + now / 1_000) + largest + 1e-6)
        }
      }),
    )
  })

  it('says when something is there again', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 1, max: 20 }), (tokens, perSecond) => {
        const bucket = tokenBucket(perSecond, 0)
        expect(bucket.take(perSecond + tokens, 0)).toBeNull()
        const seconds = bucket.take(1, 0)
        expect(seconds).not.toBeNull()
        expect(bucket.take(1, Math.ceil((seconds ?? 0) * 1_000))).toBeNull()
      }),
    )
  })
})

describe('the rates of callers', () => {
  it('are of each caller alone, and none without a setting', () => {
    const rates = callerRates({ requestsPerSecond: 1, entitiesPerSecond: null, now: () => 0 })
    rates.request('a')
    expect(() => rates.request('a')).toThrow(RateLimited)
    expect(() => rates.request('b')).not.toThrow()
    for (let n = 0; n < 10; n += 1) rates.entities('a', 1_000_000)
  })

  it('count an address of IPv6 by its network, which one caller has whole', () => {
    expect(payerOfAddress('2001:db8:1:2:3:4:5:6')).toBe(payerOfAddress('2001:db8:1:2::9'))
    expect(payerOfAddress('2001:db8:1:3::9')).not.toBe(payerOfAddress('2001:db8:1:2::9'))
    expect(payerOfAddress('::ffff:10.0.0.7')).toBe(payerOfAddress('10.0.0.7'))
    expect(payerOfAddress('::1')).not.toBe(payerOfAddress('2001:db8::1'))
  })
})

describe('a gateway with rates', () => {
  let database: TestDatabase
  let gateway: TestGateway
  beforeAll(async () => {
    database = await createTestDatabase()
    gateway = await startTestGateway({
      offlineUrl: database.url,
      onlineUrl: database.url,
      settings: { RATE_ENTITIES: '1' },
    })
  })
  afterAll(async () => {
    await gateway?.close()
    await database?.drop()
  })

  it('refuses who has asked for more entities than a second brings, with the time to wait', async () => {
    const query = '{ customers(customerIds: [1, 2, 3, 4, 5, 6, 7, 8, 9]) { customerId } }'
    const ids = Array.from({ length: 1_000 }, (_, n) => n)
    const first = await gateway.ask(
      'query Q($ids: [Int64!]!) { customers(customerIds: $ids) { customerId } }',
      { ids },
    )
    expect(first.errors).toBeUndefined()
    const response = await fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query }),
    })
    expect(response.status).toBe(429)
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(1)
    expect(await response.json()).toMatchObject({
      errors: [
        { message: expect.stringContaining('entities a second'), extensions: { code: 'RATE_LIMITED' } },
      ],
    })
    expect((await gateway.ask('{ featureServices { name } }')).errors).toBeUndefined()
  })
})
