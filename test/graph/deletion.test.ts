import { beforeEach, describe, expect, it } from 'vitest'
import { formatTimestamp } from '../../src/definitions/timestamp.ts'
import { DeletionUnfinished, StoreFailed } from '../../src/errors.ts'
import type { Right } from '../../src/graph/context.ts'
import { now, type Operation, second, type World } from './run-operation.ts'
import { smallWorld } from './small-world.ts'

let world: World
beforeEach(async () => {
  world = await smallWorld({ maxEntities: 3 })
})

const caller = (...rights: readonly Right[]) => ({ caller: { name: 'operator', rights: new Set(rights) } })
const remove = (operation: Operation, ...rights: readonly Right[]) => world.run(operation, caller(...rights))
const answer = '{ entity deletedAt counts { place rows } notReached }'
const deleteCustomer = { query: `mutation($id: Int64!) { deleteCustomer(customerId: $id) ${answer} }` }

describe('a deletion by mutation', () => {
  it('answers a receipt, and afterwards neither clock finds anything', async () => {
    const { data } = await remove({ ...deleteCustomer, variables: { id: '1' } }, 'admin')
    expect(data).toEqual({
      deleteCustomer: {
        entity: 'customer',
        deletedAt: formatTimestamp(now),
        counts: [
          { place: 'features.customer_daily', rows: 2 },
          { place: 'features.customer_recent', rows: 1 },
          { place: 'features.customer_profile', rows: 1 },
          { place: 'online (memory)', rows: 2 },
        ],
        notReached: ['training files that were handed out', 'backups', 'lines of logs'],
      },
    })
    const views =
      'customerDaily { total freshness { status } } customerProfile { country freshness { status } }'
    const asked = await world.run({
      query: `{ online: customer(customerId: 1) { ${views} }
        past: customer(customerId: 1, asOf: "${formatTimestamp(now)}", knownAt: "${formatTimestamp(now - second)}") { ${views} } }`,
    })
    const none = {
      customerDaily: { total: null, freshness: { status: 'NOT_FOUND' } },
      customerProfile: { country: null, freshness: { status: 'NOT_FOUND' } },
    }
    expect(asked).toEqual({ data: { online: none, past: none } })
    expect(
      (await world.run({ query: '{ customer(customerId: 2) { customerDaily { freshness { status } } } }' }))
        .data,
    ).toEqual({
      customer: { customerDaily: { freshness: { status: 'OUTSIDE_TTL' } } },
    })
  })

  it('refuses pushed rows of it with a code, and takes later ones', async () => {
    await remove({ ...deleteCustomer, variables: { id: 5 } }, 'admin')
    const row = (customerId: number, at: number) =>
      `{ customerId: ${customerId}, eventTimestamp: "${formatTimestamp(at)}" }`
    const rows = [row(5, now), row(6, now), row(5, now + 1)]
    const query = `mutation { pushCustomerRecent(rows: [${rows.join(', ')}]) { accepted rejected rows { row accepted online code message } } }`
    const { data } = await world.run({ query }, caller('write'))
    const taken = { accepted: true, code: null, message: null }
    const message =
      'an entity of this key was deleted, with everything up to a time at or after this event timestamp'
    expect(data).toEqual({
      pushCustomerRecent: {
        accepted: 2,
        rejected: 1,
        rows: [
          { row: 0, accepted: false, online: 'NOT_ASKED', code: 'ENTITY_DELETED', message },
          { row: 1, ...taken, online: 'WRITTEN' },
          { row: 2, ...taken, online: 'NOT_YET' },
        ],
      },
    })
  })

  it('takes the key of a composite entity as queries do', async () => {
    const { data } = await remove(
      {
        query:
          'mutation { deleteMerchantDevice(key: { merchantId: "m1", deviceNo: 7 }) { entity counts { rows } } }',
      },
      'admin',
    )
    expect(data).toEqual({
      deleteMerchantDevice: { entity: 'merchant_device', counts: [{ rows: 1 }, { rows: 1 }] },
    })
  })

  it.each([[['read']], [['read', 'write']], [[]]] as const)(
    'needs the right admin, not %j',
    async (rights) => {
      const { data, errors } = await remove({ ...deleteCustomer, variables: { id: 1 } }, ...rights)
      expect(data).toBeNull()
      expect(errors?.map(({ message, extensions }) => [message, extensions?.['code']])).toEqual([
        ['this needs the right "admin"', 'FORBIDDEN'],
      ])
      expect(
        (await world.run({ query: '{ customer(customerId: 1) { customerRecent { count } } }' })).data,
      ).toEqual({
        customer: { customerRecent: { count: 2 } },
      })
    },
  )

  it('refuses a key that is none, and more than a request may ask for', async () => {
    const wrong = await remove({ query: `mutation { deleteCustomer(customerId: "x") ${answer} }` }, 'admin')
    expect(wrong.errors?.[0]?.extensions?.['code']).toMatch(/BAD_USER_INPUT|GRAPHQL_VALIDATION_FAILED/)
    const many = [1, 2, 3, 4].map((id) => `d${id}: deleteCustomer(customerId: ${id}) { entity }`).join(' ')
    const refused = await remove({ query: `mutation { ${many} }` }, 'admin')
    expect(refused.errors?.[0]?.extensions?.['code']).toBe('LIMIT_EXCEEDED')
  })

  it('that is not complete says so, and nothing of the inside', async () => {
    const failing = (error: unknown) => ({ deleteEntity: () => Promise.reject(error), ...caller('admin') })
    for (const [error, message] of [
      [
        new StoreFailed('connect ECONNREFUSED db.internal:5432'),
        'the offline store did not answer; delete it again, which does no harm if it was deleted',
      ],
      [new DeletionUnfinished('it is recorded; delete it again'), 'it is recorded; delete it again'],
    ] as const) {
      const { errors } = await world.run({ ...deleteCustomer, variables: { id: 1 } }, failing(error))
      expect(errors?.map((one) => [one.message, one.extensions?.['code']])).toEqual([
        [message, 'UNAVAILABLE'],
      ])
    }
  })
})
