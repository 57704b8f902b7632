import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { type Attacked, expectRefused } from './attacked-gateway.ts'

const base64 = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url')
const inTenYears = 2_100_000_000

/** Ways in that other servers have: that they lead nowhere here, and what is asked for is only ever a value. */
export function wayAttacks(attacked: () => Attacked): void {
  const reader = () => attacked().caller('read')

  describe('a token', () => {
    it('of whatever issuer is no API key, and no address in it is asked for keys (checks 33, 34 and 45)', async () => {
      let asked = 0
      const issuer = createServer((_request, response) => {
        asked += 1
        response.end('{"keys":[]}')
      }).listen(0, '127.0.0.1')
      try {
        await new Promise((resolve) => issuer.once('listening', resolve))
        const url = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/jwks.json`
        const heads = [
          { alg: 'none' },
          { alg: 'HS256', kid: '../../../../etc/passwd' },
          { alg: 'HS256', kid: "x' union select 'key" },
          { alg: 'RS256', jku: url, x5u: url, kid: 'any' },
          { alg: 'RS256', jwk: { kty: 'oct', k: 'c2VjcmV0' } },
        ]
        const claims = { sub: 'everything-0', iss: url, aud: 'featuregraph', exp: inTenYears }
        const tokens = heads.map((head) => `${base64(head)}.${base64(claims)}.${base64({ any: 1 })}`)
        for (const token of [...tokens, `${base64({ alg: 'none' })}.${base64(claims)}.`])
          expectRefused(
            await reader().post('{"query":"{ __typename }"}', { authorization: `Bearer ${token}` }),
            401,
            'UNAUTHENTICATED',
          )
        expect(asked).toBe(0)
      } finally {
        issuer.close()
      }
    })
  })

  describe('a subscription', () => {
    it('is there by no operation, no socket and no stream of answers (check 31)', async () => {
      const caller = reader()
      const operation = await caller.ask('subscription { customerChanged { customerId } }')
      expect([operation.status, operation.codes[0]], operation.text).toEqual([400, 'BAD_USER_INPUT'])
      const upgrade = [
        ...['GET /graphql HTTP/1.1', 'host: a', 'connection: upgrade, close', 'upgrade: websocket'],
        ...['sec-websocket-version: 13', 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=='],
        ...[
          'sec-websocket-protocol: graphql-transport-ws',
          `authorization: ${caller.authorization.authorization}`,
        ],
      ]
      const answer = await attacked().raw(`${upgrade.join('\r\n')}\r\n\r\n`)
      expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /)
      expect(answer.toLowerCase()).not.toContain('sec-websocket-accept')
      for (const accept of ['text/event-stream', 'multipart/mixed; deferSpec=20220824']) {
        const streamed = await caller.ask('{ __typename }', {}, { accept })
        expect(streamed.headers.get('content-type') ?? '').not.toMatch(/event-stream|multipart/)
      }
    })
  })

  describe('a value', () => {
    it('is only ever a value, whatever it means in SQL, in Redis or in a shell (checks 19 and 20)', async () => {
      const [writer, caller] = [attacked().caller('everything'), reader()]
      const texts = [
        `'; drop table features.merchant_profile; --`,
        `' or '1'='1`,
        `m\r\nFLUSHALL\r\n`,
        'm*',
        '{m}:x',
        'm}{n',
        '$(reboot)',
        '../m',
      ]
      const written = texts.map((merchantId) => ({
        merchantId,
        eventTimestamp: '2026-11-01T00:00:00Z',
        anInt32: 7,
      }))
      const push = await writer.ask(
        'mutation ($rows: [MerchantProfilePush!]!) { pushMerchantProfile(rows: $rows) { accepted } }',
        { rows: written },
      )
      expect(push.codes, push.text).toEqual([])
      const query =
        'query ($ids: [String!]!) { merchants(merchantIds: $ids) { merchantId merchantProfile { anInt32 } } }'
      const { text } = await caller.ask(query, { ids: [...texts.slice(0, 8), 'm', "' or '1'='2"] })
      const { data } = JSON.parse(text) as {
        data: { merchants: { merchantId: string; merchantProfile: { anInt32: number | null } }[] }
      }
      expect(
        data.merchants.map(({ merchantId, merchantProfile }) => [merchantId, merchantProfile.anInt32]),
      ).toEqual([
        ...texts.map((one) => [one, 7]),
        ...['m', "' or '1'='2"].map((one) => [one, expect.not.toSatisfy((value) => value === 7)]),
      ])
    })

    it('of a cursor that no page gave is refused (check 23)', async () => {
      const caller = attacked().caller('everything')
      const made = (text: string): string => Buffer.from(text).toString('base64url')
      for (const after of ['x', made('1 2 3'), made("1 ' or 1=1"), made(`${'9'.repeat(40)} a`), made('1 \0')])
        for (const field of ['runs', 'violations'])
          expectRefused(
            await caller.ask(`query ($after: String) { ${field}(after: $after) { nodes { view } } }`, {
              after,
            }),
            400,
            'BAD_USER_INPUT',
          )
    })
  })
}
