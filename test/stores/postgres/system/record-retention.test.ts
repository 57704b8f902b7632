import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { AuditEntry } from '../../../../src/stores/audit-store.ts'
import { postgresAuditStore } from '../../../../src/stores/postgres/system/audit-store.ts'
import { postgresRecordRetention } from '../../../../src/stores/postgres/system/record-retention.ts'
import { createTestDatabase, type TestDatabase } from '../../../services/test-database.ts'

let database: TestDatabase
let pool: pg.Pool
const hour = 3_600_000_000

beforeAll(async () => {
  database = await createTestDatabase()
  pool = new pg.Pool({ connectionString: database.url, max: 4 })
})
afterAll(async () => {
  await pool?.end()
  await database?.drop()
})

async function left(table: string, project: string): Promise<number> {
  const { rows } = await pool.query(
    `select count(*)::int as count from featuregraph.${table} where project = $1`,
    [project],
  )
  return Number(rows[0]?.count)
}

it('removes the receipts and rows of the audit that are old, of its project, also from several processes at once', async () => {
  const insert = (project: string, rows: number, age: string) =>
    pool.query(
      `insert into featuregraph.push_receipts (project, view_id, idempotency_key, digest, answer, created_at)
       select $1, 'v', $3 || i, 'd', '{}', now() - $3::interval from generate_series(1, $2) as i`,
      [project, rows, age],
    )
  await Promise.all([insert('a', 12_000, '3 hours'), insert('a', 7, '1 hour'), insert('b', 5, '3 hours')])
  const entry: AuditEntry = {
    who: 'w\0',
    address: '::1',
    requestId: 'r',
    action: 'CALL',
    subject: null,
    outcome: 'FORBIDDEN',
    count: 3,
  }
  await postgresAuditStore(pool, 'a').append([entry, { ...entry, who: null }])
  await pool.query(`update featuregraph.audit set recorded_at = now() - interval '5 hours' where who is null`)
  const records = postgresRecordRetention(pool, 'a')
  const ages = { pushReceipts: 2 * hour, audit: 4 * hour }
  const removed = await Promise.all([
    records.removeOld(ages),
    records.removeOld(ages),
    records.removeOld(ages),
  ])
  // One that another process removes is passed over; the next time finds what a race has left.
  const rest = await records.removeOld(ages)
  expect(removed.reduce((sum, one) => sum + one, rest)).toBe(12_001)
  expect([
    await left('push_receipts', 'a'),
    await left('push_receipts', 'b'),
    await left('audit', 'a'),
  ]).toEqual([7, 5, 1])
  expect(await records.removeOld(ages)).toBe(0)
})
