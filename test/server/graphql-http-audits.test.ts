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
  const reported = (status: AuditResult['status']): string[] =>
    results.flatMap((result) =>
      result.status === status
        ? [`${result.id} ${result.name}${'reason' in result ? `: ${result.reason}` : ''}`]
        : [],
    )
  console.log(
    `${reported('ok').length} ok, warnings:`,
    ...reported('warn').map((line) => `\n  ${line}`),
    `\n${reported('notice').length} notices`,
  )
  expect(results.length).toBeGreaterThanOrEqual(60)
  expect(reported('error')).toEqual([])
  expect(reported('ok').length).toBeGreaterThanOrEqual(55)
})

it('sends a browser that asks nothing to the page, and nobody else', async () => {
  const html = 'text/html,application/xhtml+xml,*/*;q=0.8'
  const open = async (path: string, accept: string) => {
    const answer = await fetch(`${gateway.url}${path}`, { headers: { accept }, redirect: 'manual' })
    return [answer.status, answer.headers.get('location')]
  }
  expect(await open('/graphql', html)).toEqual([302, '/'])
  expect(await open('/graphql', 'application/json')).toEqual([400, null])
  expect(await open('/graphql?query={__typename}', html)).toEqual([400, null])
})
