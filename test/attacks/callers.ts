import { request } from 'node:http'
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { waitUntil } from '../services/wait-until.ts'
import { type Attacked, type Caller, expectRefused } from './attacked-gateway.ts'
import { metricsOf } from './documents.ts'

const ndjson = { 'content-type': 'application/x-ndjson' }

/** Who may do what, what leaks, and what is recorded. */
export function callerAttacks(attacked: () => Attacked): void {
  const reader = () => attacked().caller('read')

  describe('a caller', () => {
    it('without a key and one with a wrong key are refused in the same words (check 35)', async () => {
      const answers = await Promise.all(
        ['', 'Bearer', 'Bearer nobody', 'Basic cmVhZC0w', 'Bearer read-0 read-1'].map((authorization) =>
          reader().post('{}', { authorization }),
        ),
      )
      for (const answer of answers) expectRefused(answer, 401, 'UNAUTHENTICATED')
      expect(new Set(answers.flatMap(({ messages }) => messages)).size).toBe(1)
    })

    it('without a right is refused by every way (check 36)', async () => {
      const caller = reader()
      const refused = [
        await caller.fetch('/push/merchant_profile', { method: 'POST', headers: ndjson, body: '{}\n' }),
        await caller.fetch('/events/any', { method: 'POST', headers: ndjson, body: '{}\n' }),
        await caller.fetch('/spines', { method: 'POST', headers: ndjson, body: '{}\n' }),
        await caller.ask('mutation { deleteCustomer(customerId: 1) { entity } }'),
        await caller.ask('mutation { alias: deleteCustomer(customerId: 1) { entity } }'),
        await caller.ask(
          'mutation { ...F } fragment F on Mutation { pushCustomerProfile(rows: []) { accepted } }',
        ),
        await caller.ask('{ processes { id } }'),
      ]
      for (const answer of refused) expect([...new Set(answer.codes)], answer.text).toEqual(['FORBIDDEN'])
    })

    it('is judged at each request, also where the text is known (check 38)', async () => {
      const text = 'query Judged { featureViews { name } }'
      for (let use = 0; use < 3; use += 1) {
        expect((await reader().ask(text)).status).toBe(200)
        expectRefused(
          await reader().ask(text, {}, { authorization: 'Bearer nobody' }),
          401,
          'UNAUTHENTICATED',
        )
      }
    })

    it('finds no page, no metrics and no banner (checks 41 and 49)', async () => {
      const caller = attacked().caller('everything')
      for (const path of [
        '/',
        '/graphiql/tabs',
        '/graphiql/assets/x.js',
        '/metrics',
        '/admin',
        '/debug/pprof',
      ])
        expectRefused(await caller.fetch(path, { headers: { accept: 'text/html' } }), 404, 'NOT_FOUND')
      const { headers } = await caller.ask('{ __typename }')
      expect([headers.get('x-powered-by'), headers.get('server')]).toEqual([null, null])
      expect((await metricsOf(attacked())).size).toBeGreaterThan(50)
    })

    it('reaches no file but a part of a training set (check 43)', async () => {
      const caller = attacked().caller('everything')
      for (const path of [
        '../../etc/passwd',
        '%2e%2e/%2e%2e/etc%2fpasswd',
        '..%2f..%2fx',
        'x%00',
        '%2fetc%2fpasswd',
        `${'a'.repeat(36)}/..`,
      ])
        expectRefused(await caller.fetch(`/training-sets/${path}/part-1.parquet`), 404, 'NOT_FOUND')
    })

    it('who makes up names adds a bounded number of metrics (check 47)', async () => {
      const caller = reader()
      const series = async () =>
        [...(await metricsOf(attacked())).keys()].filter((name) =>
          name.startsWith('featuregraph_operation_seconds_count'),
        )
      // Of many callers, so that none is out of time.
      for (let wave = 0; wave < 12; wave += 1) {
        const one = reader()
        const names = Array.from({ length: 25 }, (_, index) => `query Name${wave}_${index} { __typename }`)
        await Promise.all(names.map((text) => one.ask(text)))
      }
      const names = await series()
      expect(names.length).toBeLessThan(260)
      expect(names.some((name) => name.includes('operation="other"'))).toBe(true)
      await caller.ask('query Trusted { __typename }')
      expect((await series()).some((name) => name.includes('operation="Trusted"'))).toBe(true)
    })
  })

  describe('what happened', () => {
    it('to an answer whose caller went away stands in the log under the id that its caller has', async () => {
      const { gateway } = attacked()
      const writer: Caller = attacked().caller('everything')
      const id = 'breaks-off-1'
      const line = `{"merchant_id":"m","event_timestamp":"2026-11-01T00:00:00Z","an_int32":1}\n`
      const sending = request(`${gateway.url}/push/merchant_profile`, {
        method: 'POST',
        headers: { ...ndjson, ...writer.authorization, 'x-request-id': id },
      })
      sending.on('error', () => {})
      const answered = new Promise<unknown>((resolve) => {
        sending.on('response', (response) => {
          response.on('error', () => {})
          response.once('data', resolve)
        })
      })
      // More than a batch, so that its answer begins.
      sending.write(line.repeat(2_001))
      await answered
      sending.destroy()
      await waitUntil(
        () =>
          gateway.logLines.some(
            (one) => one.includes(id) && one.includes('the caller went away before the end of its answer'),
          ),
        'the line is there',
      )
    })

    it('is in the audit: who did what, how much, when, and under which id; and who was refused', async () => {
      const { databaseUrl } = attacked()
      const [writer, refused] = [attacked().caller('everything'), reader()]
      const rows =
        '[{ merchantId: "m", eventTimestamp: "2026-11-01T00:00:00Z", anInt32: 1 }, { merchantId: "n", eventTimestamp: "2026-11-01T00:00:00Z", anInt32: 2 }]'
      await writer.ask(
        `mutation { pushMerchantProfile(rows: ${rows}) { accepted } }`,
        {},
        { 'x-request-id': 'audit-1' },
      )
      await writer.ask(
        'mutation { deleteMerchant(merchantId: "n") { entity } }',
        {},
        { 'x-request-id': 'audit-2' },
      )
      const line = '{"merchant_id":"o","event_timestamp":"2026-11-01T00:00:00Z"}\n{}\n'
      await writer.fetch('/push/merchant_profile', {
        method: 'POST',
        headers: { ...ndjson, 'x-request-id': 'audit-3' },
        body: line,
      })
      await refused.ask(
        'mutation { deleteMerchant(merchantId: "n") { entity } }',
        {},
        { 'x-request-id': 'audit-4' },
      )
      await refused.fetch('/push/merchant_profile', {
        method: 'POST',
        headers: { ...ndjson, 'x-request-id': 'audit-5' },
        body: line,
      })
      for (let index = 0; index < 20; index += 1)
        await refused.post('{}', { authorization: 'Bearer nobody', 'x-request-id': `audit-6-${index}` })
      const recorded = () =>
        select(
          databaseUrl,
          `select who, request_id, action, subject, outcome, count::int from featuregraph.audit where request_id ~ '^audit-[1-5]' order by request_id`,
        )
      await waitUntil(async () => (await recorded()).length >= 4, 'the audit has them')
      expect(await recorded()).toEqual([
        {
          who: writer.name,
          request_id: 'audit-1',
          action: 'PUSH_ROWS',
          subject: 'merchant_profile',
          outcome: 'DONE',
          count: 2,
        },
        {
          who: writer.name,
          request_id: 'audit-2',
          action: 'DELETE_ENTITY',
          subject: 'merchant',
          outcome: 'DONE',
          count: 1,
        },
        {
          who: writer.name,
          request_id: 'audit-3',
          action: 'PUSH_ROWS',
          subject: 'merchant_profile',
          outcome: 'DONE',
          count: 1,
        },
        {
          who: refused.name,
          request_id: 'audit-4',
          action: 'CALL',
          subject: null,
          outcome: 'FORBIDDEN',
          count: 1,
        },
      ])
      const unknown = await select(
        databaseUrl,
        `select count(*)::int as rows from featuregraph.audit where request_id like 'audit-6-%'`,
      )
      expect(unknown[0]?.['rows']).toBeGreaterThan(0)
      expect(unknown[0]?.['rows']).toBeLessThan(20)
      const odd = await select(
        databaseUrl,
        'select action, subject from featuregraph.audit where recorded_at > now() or address is null',
      )
      // No request has made the first version: the gateway has, of its folder.
      expect(odd).toEqual([{ action: 'APPLY', subject: 'version 1' }])
    })
  })
}

async function select(url: string, sql: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  return await client
    .query<Readonly<Record<string, unknown>>>(sql)
    .then(({ rows }) => rows)
    .finally(() => client.end())
}
