import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { postgresViolationStore } from '../../../../src/stores/postgres/system/violation-store.ts'
import type { Violation, ViolationFilter, ViolationStore } from '../../../../src/stores/violation-store.ts'
import { memoryViolationStore } from '../../../oracle/memory-violation-store.ts'
import { createTestDatabase, type TestDatabase } from '../../../services/test-database.ts'
import { testPool } from '../../../services/test-pool.ts'

let database: TestDatabase
let pool: pg.Pool
beforeAll(async () => {
  database = await createTestDatabase()
  pool = testPool(database.url)
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})

const everything: ViolationFilter = { view: null, since: null, after: null, first: 1_000 }

function violation(recordedAt: number, change: Partial<Violation> = {}): Violation {
  return {
    view: 'v',
    feature: 'f',
    key: ['1'],
    rule: 'MAX',
    value: '12',
    bound: '10',
    message: 'Value 12 above maximum 10',
    action: 'warn',
    eventTimestamp: 5,
    recordedAt,
    ...change,
  }
}

describe.each([
  ['memory', () => memoryViolationStore()],
  ['postgres', () => postgresViolationStore(pool, `project_${Math.random()}`)],
] as const)('the %s violation store', (_name, makeStore: () => ViolationStore) => {
  it('gives back what was recorded, odd keys and nulls included', async () => {
    const store = makeStore()
    const odd = violation(1_795_176_000_000_001, {
      key: ['a,b', '{"', '', 'NULL'],
      feature: null,
      value: null,
      bound: null,
      eventTimestamp: null,
    })
    await store.record([odd], [{ view: 'v', content: { a: 'x' }, reason: 'why', recordedAt: 1 }])
    expect(await store.page(everything)).toEqual([{ ...odd, id: expect.any(Number) }])
  })

  it('pages newest first, by time and then by order of recording, each once', async () => {
    const store = makeStore()
    await store.record(
      [violation(20, { value: 'a' }), violation(10, { value: 'b' }), violation(20, { value: 'c' })],
      [],
    )
    await store.record([violation(20, { value: 'd' })], [])
    const told: (string | null)[] = []
    let after: ViolationFilter['after'] = null
    for (let page = 0; page < 5; page += 1) {
      const [one] = await store.page({ ...everything, first: 1, after })
      if (!one) break
      told.push(one.value)
      after = { recordedAt: one.recordedAt, id: one.id }
    }
    expect(told).toEqual(['d', 'c', 'a', 'b'])
  })

  it('tells those of a view, and those recorded since a moment, the moment included', async () => {
    const store = makeStore()
    await store.record([violation(10), violation(20, { view: 'w' }), violation(30, { view: 'w' })], [])
    const times = async (filter: Partial<ViolationFilter>) =>
      (await store.page({ ...everything, ...filter })).map(({ recordedAt }) => recordedAt)
    expect(await times({ view: 'w' })).toEqual([30, 20])
    expect(await times({ since: 20 })).toEqual([30, 20])
    expect(await times({ view: 'v', since: 11 })).toEqual([])
  })
})

it('violations of another project are not told', async () => {
  await postgresViolationStore(pool, 'one').record([violation(1)], [])
  expect(await postgresViolationStore(pool, 'two').page(everything)).toEqual([])
})
