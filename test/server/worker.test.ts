import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { startTestGateway } from './start-test-gateway.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(async () => {
  await database?.drop()
})

it('runs inside the gateway where the settings say so, and ends with it', async () => {
  const gateway = await startTestGateway({
    offlineUrl: database.url,
    onlineUrl: inject('redisUrl'),
    settings: { WORKER: 'true', RECOMPUTE: '1d' },
  })
  try {
    const query = '{ runs(kind: MATERIALIZE, view: "merchant_profile") { nodes { state } } }'
    for (;;) {
      const { data, errors } = await gateway.ask(query)
      expect(errors).toBe(undefined)
      if (data.runs.nodes[0]?.state === 'SUCCEEDED') break
      await sleep(20)
    }
  } finally {
    await gateway.close()
  }
  const reported = gateway.logLines.map((line) => (JSON.parse(line) as { readonly msg: string }).msg)
  expect(reported).toContainEqual(
    expect.stringMatching(/^the worker of project ".*" runs .*customer_profile: materialized every 1h/),
  )
  expect(reported.filter((line) => /lock of the worker|worker has ended|failed/.test(line))).toEqual([])
})
