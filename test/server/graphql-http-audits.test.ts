import { type AuditResult, serverAudits } from 'graphql-http'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { startTestGateway, type TestGateway } from './start-test-gateway.ts'

let database: TestDatabase
let gateway: TestGateway

beforeAll(async () => {
  database = await createTestDatabase()
  gateway = await startTestGateway({ offlineUrl: database.url, onlineUrl: inject('redisUrl') })
})
afterAll(async () => {
  await gateway?.close()
  await database?.drop()
})

it('passes the audits of GraphQL over HTTP without an error', async () => {
  const results: AuditResult[] = []
  for (const audit of serverAudits({ url: `${gateway.url}/graphql`, fetchFn: fetch }))
    results.push(await audit.fn())
  const told = (status: AuditResult['status']): string[] =>
    results.flatMap((result) =>
      result.status === status
        ? [`${result.id} ${result.name}${'reason' in result ? `: ${result.reason}` : ''}`]
        : [],
    )
  console.log(
    `${told('ok').length} ok, warnings:`,
    ...told('warn').map((line) => `\n  ${line}`),
    `\n${told('notice').length} notices`,
  )
  expect(results.length).toBeGreaterThanOrEqual(60)
  expect(told('error')).toEqual([])
  expect(told('ok').length).toBeGreaterThanOrEqual(55)
})
