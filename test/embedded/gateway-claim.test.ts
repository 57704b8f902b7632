import { expect, it } from 'vitest'
import { claimGateway } from '../../src/embedded/gateway-claim.ts'
import { createTestDatabase } from '../services/test-database.ts'

it('lets one gateway claim a database, and the next after it has let go', async () => {
  const database = await createTestDatabase()
  const other = await createTestDatabase()
  const first = await claimGateway(database.url)
  expect(first).not.toBe(null)
  expect(await claimGateway(database.url)).toBe(null)
  const elsewhere = await claimGateway(other.url)
  expect(elsewhere).not.toBe(null)
  await first?.release()
  const second = await claimGateway(database.url)
  expect(second).not.toBe(null)
  await second?.release()
  await elsewhere?.release()
  await database.drop()
  await other.drop()
})
