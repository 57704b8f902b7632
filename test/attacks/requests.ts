import { connect, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { authenticator } from '../../src/server/authenticate.ts'
import { waitUntil } from '../services/wait-until.ts'
import { type Attacked, type Caller, expectRefused, limits } from './attacked-gateway.ts'

const query = '{ __typename }'
const body = JSON.stringify({ query })
const deepJson = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}`
const ndjson = { 'content-type': 'application/x-ndjson' }

/** Bodies, headers, addresses and connections. */
export function requestAttacks(attacked: () => Attacked): void {
  const reader = () => attacked().caller('read')

  describe('a body', () => {
    it('is nested at most 32 deep, wherever JSON comes in (check 7)', async () => {
      const [caller, writer] = [reader(), attacked().caller('everything')]
      const inside = (name: string, levels: number) =>
        `{"query":"${query}","${name}":{"v":${deepJson(levels)}}}`
      expect((await caller.post(inside('variables', 30))).status).toBe(200)
      for (const text of [
        inside('variables', 31),
        inside('variables', 200_000),
        inside('extensions', 200_000),
      ])
        expectRefused(await caller.post(text), 400, 'LIMIT_EXCEEDED', 'at most 32 levels')
      const get = `/graphql?query=${encodeURIComponent(query)}&variables=${encodeURIComponent(`{"v":${deepJson(1_000)}}`)}`
      const asked = await caller.fetch(get, { headers: { 'apollo-require-preflight': 'true' } })
      expectRefused(asked, 400, 'LIMIT_EXCEEDED', 'at most 32 levels')
      const line = `{"merchant_id":"m","event_timestamp":"2026-11-01T00:00:00Z","int32_list":${deepJson(100_000)}}\n`
      const pushed = await writer.fetch('/push/merchant_profile', {
        method: 'POST',
        headers: ndjson,
        body: line,
      })
      expect(pushed.text).toContain(
        '"code":"INVALID_ROW","message":"JSON may be nested at most 32 levels deep"',
      )
    })

    it('of several operations is refused (check 9)', async () => {
      const many = `[${Array(1_000).fill(body).join(',')}]`
      for (const text of [`[${body}]`, many]) expectRefused(await reader().post(text), 400, 'BAD_REQUEST')
    })

    it('asks for at most as many entities as the limit, duplicates counted (check 13)', async () => {
      const text = 'query($ids: [Int64!]!) { customers(customerIds: $ids) { customerId } }'
      for (const count of [limits.entities + 1, 200_000]) {
        const answer = await reader().ask(text, { ids: Array(count).fill(1) })
        expectRefused(answer, 400, 'LIMIT_EXCEEDED', `${count} came`)
      }
    })

    it('has keys of at most 1,024 bytes, and the refusal says which is longer (check 14)', async () => {
      const caller = reader()
      const text = 'query($ids: [String!]!) { merchants(merchantIds: $ids) { merchantId } }'
      const keys = (length: number) => ({ ids: ['a', 'b', 'é'.repeat(length / 2), 'c'] })
      expect((await caller.ask(text, keys(1_024))).status).toBe(200)
      for (const length of [1_026, 900_000])
        expectRefused(
          await caller.ask(text, keys(length)),
          400,
          'BAD_USER_INPUT',
          'key 2 (the first is 0): merchantId',
          '1024 bytes',
        )
    })

    it('pollutes no prototype (check 18)', async () => {
      const caller = reader()
      const polluted = ['"__proto__":{"a":1}', '"constructor":{"prototype":{"a":1}}']
      for (const text of polluted)
        expectRefused(await caller.post(`{"query":"${query}","variables":{${text}}}`), 400, 'BAD_REQUEST')
      expect(Object.hasOwn(Object.prototype, 'a')).toBe(false)
    })

    it('is bounded by what it unpacks to (check 27)', async () => {
      const bomb = gzipSync(Buffer.alloc(60_000_000))
      expect(bomb.length).toBeLessThan(60_000)
      const answer = await reader().post(new Uint8Array(bomb), { 'content-encoding': 'gzip' })
      expectRefused(answer, 413, 'LIMIT_EXCEEDED')
    })

    it('is UTF-8 by name and by its bytes (check 28)', async () => {
      const caller = reader()
      for (const charset of ['utf-7', 'utf-16', 'utf-32', 'iso-8859-1'])
        expectRefused(
          await caller.post(body, { 'content-type': `application/json; charset=${charset}` }),
          415,
          'UNSUPPORTED_MEDIA_TYPE',
        )
      const broken = Buffer.from(JSON.stringify({ query: '{ merchant(merchantId: "~") { merchantId } }' }))
      broken[broken.indexOf('~')] = 0xff
      expectRefused(await caller.post(new Uint8Array(broken)), 400, 'BAD_REQUEST', 'not UTF-8')
    })

    it('asks for no stored text by its hash (check 48)', async () => {
      const extensions = { persistedQuery: { version: 1, sha256Hash: 'a'.repeat(64) } }
      const answer = await reader().post(JSON.stringify({ query, extensions }))
      expect(answer.codes).toEqual(['PERSISTED_QUERY_NOT_SUPPORTED'])
    })
  })

  describe('a request that a page of another origin could send', () => {
    it('is refused (check 24)', async () => {
      const caller = reader()
      for (const type of [
        'text/plain',
        'application/x-www-form-urlencoded',
        'multipart/form-data; boundary=x',
      ])
        expectRefused(await caller.post(body, { 'content-type': type }), 415, 'UNSUPPORTED_MEDIA_TYPE')
      expectRefused(await caller.fetch(`/graphql?query=${encodeURIComponent(query)}`), 400, 'BAD_REQUEST')
    })

    it('changes nothing by GET (check 25)', async () => {
      const text = 'mutation { deleteCustomer(customerId: 1) { entity } }'
      const answer = await attacked()
        .caller('everything')
        .fetch(`/graphql?query=${encodeURIComponent(text)}`, {
          headers: { 'apollo-require-preflight': 'true' },
        })
      expectRefused(answer, 405, 'BAD_REQUEST')
      expect(answer.headers.get('allow')).toBe('POST')
    })

    it('may not be read by its page (check 26)', async () => {
      for (const origin of ['https://evil.example', 'null']) {
        const { headers } = await reader().ask(query, {}, { origin })
        expect([
          headers.get('access-control-allow-origin'),
          headers.get('access-control-allow-credentials'),
        ]).toEqual([null, null])
      }
    })
  })

  describe('a header', () => {
    it('that is parsed has a limit, and is refused before it is (checks 21 and 30)', async () => {
      const caller = reader()
      expectRefused(
        await caller.post(body, { 'content-type': `application/json${' '.repeat(15_000)};` }),
        415,
        'UNSUPPORTED_MEDIA_TYPE',
        'at most 256',
      )
      const long: Readonly<Record<string, string>> = {
        accept: 'a/b,'.repeat(3_000),
        'accept-encoding': 'gzip;q=0.1,'.repeat(1_000),
        'content-encoding': ' '.repeat(15_000),
        'if-none-match': '"x",'.repeat(3_000),
        'if-range': 'x'.repeat(10_000),
        'idempotency-key': 'x'.repeat(10_000),
        origin: 'x'.repeat(10_000),
        range: 'bytes=0-1,'.repeat(1_000),
        'access-control-request-headers': 'x,'.repeat(5_000),
      }
      for (const [name, value] of Object.entries(long))
        expectRefused(await caller.post(body, { [name]: `x${value}x` }), 431, 'LIMIT_EXCEEDED', name)
      expectRefused(
        await caller.post(body, { authorization: `Bearer ${'x'.repeat(9_000)}` }),
        431,
        'LIMIT_EXCEEDED',
        'authorization',
      )
      const whole = await attacked().raw(
        `GET /healthz HTTP/1.1\r\nhost: x\r\nx-long: ${'x'.repeat(20_000)}\r\n\r\n`,
      )
      expect(whole).toMatch(/^HTTP\/1\.1 431 /)
    })

    it('says one host, and one length (check 30)', async () => {
      const { raw } = attacked()
      const close = 'connection: close\r\n'
      expect(await raw(`GET /healthz HTTP/1.1\r\nhost: a\r\n${close}\r\n`)).toMatch(/^HTTP\/1\.1 200 /)
      const two = await raw(`GET /healthz HTTP/1.1\r\nhost: a\r\nHOST: b\r\n${close}\r\n`)
      expect(two).toMatch(/^HTTP\/1\.1 400 /)
      expect(two).toContain('expected one Host header')
      const both = `POST /graphql HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n${close}\r\n0\r\n\r\n`
      expect(await raw(both)).toMatch(/^HTTP\/1\.1 400 /)
    })

    it('of a host passes for this machine only if it is an address of it', () => {
      const authenticate = authenticator({ host: '127.0.0.1', apiKeys: null, allowAnonymous: false })
      const from = (host: string) => () => authenticate({ authorization: undefined, host })
      for (const host of ['127.0.0.1', '127.0.0.1:4000', '127.255.0.9', 'localhost:1', '[::1]:4000'])
        expect(from(host)().name).toBe('loopback')
      for (const host of [
        '127.999.999.999',
        '127.0.0.256',
        '127.0.0.1.evil.example',
        '127.0.0.01',
        'evil.example',
      ])
        expect(from(host)).toThrow('address it as localhost')
    })
  })

  describe('connections', () => {
    it('that say nothing, or drip, keep nobody else from an answer (check 29)', async () => {
      const { gateway } = attacked()
      const { hostname, port } = new URL(gateway.url)
      const sockets: Socket[] = []
      try {
        for (let index = 0; index < 300; index += 1) {
          const socket = connect(Number(port), hostname)
          socket.on('error', () => {})
          socket.on('connect', () => {
            if (index % 2 === 0) socket.write('POST /graphql HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n')
          })
          sockets.push(socket)
        }
        await waitUntil(() => sockets.every(({ connecting }) => !connecting), 'all connected')
        expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200)
        expect((await reader().ask(query)).status).toBe(200)
        // What is over the cap is closed as it comes.
        for (let index = 0; index < 200; index += 1) {
          const socket = connect(Number(port), hostname)
          socket.on('error', () => {})
          sockets.push(socket)
        }
        await waitUntil(
          () => sockets.filter(({ destroyed, readableEnded }) => destroyed || readableEnded).length >= 80,
          'connections over the cap are closed',
        )
        expect(sockets.slice(0, 300).some(({ destroyed }) => destroyed)).toBe(false)
      } finally {
        for (const socket of sockets) socket.destroy()
      }
      await waitUntil(
        async () => (await fetch(`${gateway.url}/healthz`).catch(() => null))?.status === 200,
        'answered again',
      )
    })
  })

  describe('a filter', () => {
    it('with U+0000 is the caller’s mistake', async () => {
      const caller: Caller = attacked().caller('everything')
      for (const field of ['runs', 'violations'])
        for (const view of ['a\0b', '\ud800', 'x'.repeat(10_000)])
          expectRefused(
            await caller.ask(`query($v: String) { ${field}(view: $v) { nodes { view } } }`, { v: view }),
            400,
            'BAD_USER_INPUT',
            'view: expected a name',
          )
    })
  })
}
