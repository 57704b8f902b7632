import type pg from 'pg'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { claimGateway, type GatewayClaim } from '../../src/embedded/gateway-claim.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { testPool } from '../services/test-pool.ts'
import { waitUntil } from '../services/wait-until.ts'

let database: TestDatabase
let pool: pg.Pool
let warnings: string[]
let claims: GatewayClaim[]

beforeEach(async () => {
  database = await createTestDatabase()
  pool = testPool(database.url, 2)
  warnings = []
  claims = []
})

afterEach(async () => {
  for (const claim of claims) await claim.release()
  await pool.end()
  await database.drop()
})

async function claim(on: pg.Pool = pool): Promise<GatewayClaim | null> {
  const claimed = await claimGateway(on, { warn: (line) => warnings.push(line) })
  if (claimed !== null) claims.push(claimed)
  return claimed
}

const holdersSql = `select pid from pg_locks where locktype = 'advisory' and granted
  and database = (select oid from pg_database where datname = current_database())`

async function holders(): Promise<readonly number[]> {
  const { rows } = await pool.query<{ pid: number }>(holdersSql)
  return rows.map(({ pid }) => pid)
}

async function endHolder(): Promise<void> {
  await pool.query(`select pg_terminate_backend(pid) from (${holdersSql}) as holder`)
}

it('lets one gateway claim a database, and the next after it has let go', async () => {
  const other = await createTestDatabase()
  const otherPool = testPool(other.url, 1)
  const first = await claim()
  expect(first).not.toBe(null)
  expect(await claim()).toBe(null)
  const elsewhere = await claim(otherPool)
  expect(elsewhere).not.toBe(null)
  await first?.release()
  expect(await claim()).not.toBe(null)
  await elsewhere?.release()
  await otherPool.end()
  await other.drop()
})

it('takes the claim again after its connection was lost', async () => {
  await claim()
  const [lost] = await holders()
  await endHolder()
  await waitUntil(async () => {
    const [holder] = await holders()
    return holder !== undefined && holder !== lost
  }, 'the claim is held by another session')
  expect(await claim()).toBe(null)
  expect(warnings).toEqual([])
})

it('warns of a gateway that has claimed the database meanwhile, and takes the claim when that one ends', async () => {
  await claim()
  // Whatever holds the lock counts as a gateway; this session waits for it and gets it before the first tries again.
  const rival = await pool.connect()
  const waiting = rival.query('select pg_advisory_lock($1::int4, $2::int4)', [0x66656174, 0x67726170])
  await waitUntil(async () => {
    const { rows } = await pool.query(holdersSql.replace('and granted', 'and not granted'))
    return rows.length > 0
  }, 'the rival waits')
  await endHolder()
  await waiting
  await waitUntil(() => warnings.length > 0, 'the first gateway warns')
  expect(warnings).toEqual([
    'another gateway has claimed the database, which was away for a moment: stop one of the two',
  ])
  const [rivalPid] = await holders()
  rival.release(true)
  await waitUntil(async () => {
    const [holder] = await holders()
    // The rival's session takes a moment to end.
    return holder !== undefined && holder !== rivalPid
  }, 'the first gateway has the claim again')
  expect(await claim()).toBe(null)
})
