import { Agent, type IncomingHttpHeaders, request } from 'node:http'
import { connect } from 'node:net'
import { brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { acceptedCoding } from '../../src/server/accepted-coding.ts'
import { execute } from '../services/postgres.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { startTestGateway, type TestGateway } from './start-test-gateway.ts'

const maxBodyBytes = 64 * 1_024
const page = 'https://app.example.com'
const json = { 'content-type': 'application/json' }
const typename = JSON.stringify({ query: '{ __typename }' })
const introspection = JSON.stringify({ query: '{ __schema { types { name fields { name description } } } }' })

let database: TestDatabase
let gateway: TestGateway
beforeAll(async () => {
  database = await createTestDatabase()
  gateway = await startTestGateway({
    offlineUrl: database.url,
    onlineUrl: 'memory:',
    settings: { CORS_ORIGINS: page, MAX_BODY_BYTES: String(maxBodyBytes), DRAIN_MS: '600000' },
  })
})
afterAll(async () => {
  await gateway?.close()
  await database?.drop()
})

interface Sent {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  readonly agent?: Agent
}

interface Received {
  readonly status: number | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** By `node:http`, which adds no header and unpacks nothing. */
function send(path: string, { method = 'GET', headers = {}, body, agent }: Sent = {}): Promise<Received> {
  return new Promise((resolve, reject) => {
    const options = { method, headers, ...(agent ? { agent } : {}) }
    const sent = request(gateway.url + path, options, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () =>
        resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) }),
      )
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

const post = (body: string | Buffer, headers: Readonly<Record<string, string>> = {}, agent?: Agent) =>
  send('/graphql', { method: 'POST', headers: { ...json, ...headers }, body, ...(agent ? { agent } : {}) })

const errorOf = ({ body }: Received): unknown => JSON.parse(body.toString()).errors[0]

describe('every answer', () => {
  it.each([
    ['/graphql', 'POST'],
    ['/graphql', 'GET'],
    ['/graphql', 'PUT'],
    ['/healthz', 'GET'],
    ['/readyz', 'GET'],
    ['/metrics', 'GET'],
    ['/nothing', 'GET'],
    ['/%zz', 'GET'],
    ['/push/nothing', 'POST'],
    ['/events/nothing', 'POST'],
  ])('is stored by nobody, is taken for nothing else, and has its id: %s by %s', async (path, method) => {
    const { headers } = await send(path, { method, headers: json })
    expect(headers['cache-control']).toBe('no-store')
    expect(headers['x-content-type-options']).toBe('nosniff')
    expect(headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/)
  })

  it('to what is no HTTP is stored by nobody either', async () => {
    const { port, hostname } = new URL(gateway.url)
    const answer = await new Promise<string>((resolve, reject) => {
      let received = ''
      const socket = connect(Number(port), hostname, () => socket.write('nonsense\r\n\r\n'))
      socket.on('data', (data) => {
        received += data.toString()
      })
      socket.on('error', reject)
      socket.on('close', () => resolve(received))
    })
    expect(answer).toMatch(/^HTTP\/1\.1 400 /)
    expect(answer).toContain('\r\ncache-control: no-store\r\nx-content-type-options: nosniff\r\n')
  })
})

describe('a request id', () => {
  it('of the caller comes back, in the answer and in its errors, and stands in the log', async () => {
    const id = 'trace/2026:a-1~'
    const asked = await post(JSON.stringify({ query: '{ nothing }' }), { 'x-request-id': id })
    expect(asked.headers['x-request-id']).toBe(id)
    expect(errorOf(asked)).toMatchObject({ extensions: { requestId: id } })
    await execute(database.url, 'drop table shop.naps')
    const query =
      '{ customer(customerId: 1, asOf: "2026-01-01T00:00:00Z") { customerNaps { seconds freshness { status } } } }'
    await post(JSON.stringify({ query }), { 'x-request-id': id })
    expect(gateway.logLines.map((line) => JSON.parse(line).reqId)).toContain(id)
  })

  it.each(['x'.repeat(129), 'two words', 'tab\tbed', 'naïve', ''])(
    'that is long or not printable is replaced: %j',
    async (id) => {
      const { headers } = await post(typename, { 'x-request-id': id })
      expect(headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/)
    },
  )
})

describe('pages of other origins', () => {
  const asked = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' }
  const grants = (headers: IncomingHttpHeaders): readonly string[] =>
    Object.keys(headers).filter((name) => name.startsWith('access-control-allow-origin'))

  it('that are listed may ask, after a preflight, and read the answer and its id, without credentials', async () => {
    const preflight = await send('/graphql', { method: 'OPTIONS', headers: { origin: page, ...asked } })
    expect([preflight.status, preflight.body.length]).toEqual([204, 0])
    expect(preflight.headers).toMatchObject({
      'access-control-allow-origin': page,
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers': 'content-type',
      'access-control-max-age': '600',
      'cache-control': 'no-store',
    })
    const answer = await post(typename, { origin: page })
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': page,
      'access-control-expose-headers': 'x-request-id',
      vary: 'Origin',
    })
    const refused = await post('no JSON', { origin: page })
    expect([refused.status, grants(refused.headers)]).toEqual([400, ['access-control-allow-origin']])
    for (const { headers } of [preflight, answer, refused])
      expect(headers).not.toHaveProperty('access-control-allow-credentials')
  })

  it.each(['https://evil.example', 'http://app.example.com', `${page}.evil.example`, `${page}:444`, 'null'])(
    'that are not listed get no leave: %s',
    async (origin) => {
      const preflight = await send('/graphql', { method: 'OPTIONS', headers: { origin, ...asked } })
      expect(grants(preflight.headers)).toEqual([])
      expect(grants((await post(typename, { origin })).headers)).toEqual([])
    },
  )

  it('that are listed are refused what a form could send, as all are', async () => {
    const blocked = await send(`/graphql?query=${encodeURIComponent('{ __typename }')}`, {
      headers: { origin: page },
    })
    expect(blocked.status).toBe(400)
    expect(errorOf(blocked)).toMatchObject({ message: expect.stringContaining('expected POST') })
  })
})

describe('an answer', () => {
  const plain = async () => (await post(introspection)).body.toString()

  it('comes compressed to callers who ask for it, and says so', async () => {
    const gzipped = await post(introspection, { 'accept-encoding': 'gzip, deflate' })
    expect(gzipped.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'accept-encoding, Origin' })
    expect(gunzipSync(gzipped.body).toString()).toBe(await plain())
    expect(gzipped.body.length).toBeLessThan((await plain()).length / 3)
    const brotli = await post(introspection, { 'accept-encoding': 'gzip, deflate, br', origin: page })
    expect(brotli.headers).toMatchObject({ 'content-encoding': 'br', vary: 'accept-encoding, Origin' })
    expect(brotliDecompressSync(brotli.body).toString()).toBe(await plain())
    const metrics = await send('/metrics', { headers: { 'accept-encoding': 'gzip' } })
    expect(gunzipSync(metrics.body).toString()).toContain('featuregraph_')
  })

  it('comes as it is to all others, and where it is short', async () => {
    const others = await Promise.all([
      post(introspection),
      post(introspection, { 'accept-encoding': 'deflate, gzip;q=0' }),
      post(typename, { 'accept-encoding': 'gzip, br' }),
    ])
    for (const { headers, body } of others) {
      expect(headers).not.toHaveProperty('content-encoding')
      expect(JSON.parse(body.toString())).toHaveProperty('data')
    }
  })

  it.each([
    ['gzip', 'gzip'],
    ['x-gzip', 'gzip'],
    ['br;q=0.5, gzip', 'gzip'],
    ['br; q=0.9, GZIP; q=0.1', 'br'],
    ['*', 'br'],
    ['br;q=0, *;q=0.3', 'gzip'],
    ['identity', null],
    ['gzip;q=nonsense', null],
    ['', null],
    [`gzip${' '.repeat(2_000)}`, null],
  ])('asked for in %j comes in %j', (header, coding) => {
    expect(acceptedCoding(header)).toBe(coding)
  })
})

describe('a request body', () => {
  const gzip = { 'content-encoding': 'gzip' }

  it('by gzip is read, with and without its length', async () => {
    const body = gzipSync(typename)
    for (const headers of [
      gzip,
      { ...gzip, 'content-length': String(body.length) },
      { 'content-encoding': 'X-GZIP' },
    ])
      expect((await post(body, headers)).body.toString()).toBe('{"data":{"__typename":"Query"}}')
  })

  it('is bounded by what it unpacks to, however small it comes', async () => {
    const filled = (bytes: number) => typename.replace('}"', `} #${'x'.repeat(bytes - typename.length - 2)}"`)
    expect(filled(maxBodyBytes)).toHaveLength(maxBodyBytes)
    expect((await post(gzipSync(filled(maxBodyBytes)), gzip)).status).toBe(200)
    for (const bytes of [maxBodyBytes + 1, 500 * maxBodyBytes]) {
      const bomb = gzipSync(filled(bytes))
      expect(bomb.length).toBeLessThan(maxBodyBytes)
      const answer = await post(bomb, gzip)
      expect([answer.status, errorOf(answer)]).toEqual([
        413,
        expect.objectContaining({ message: 'the body is larger than the gateway takes' }),
      ])
    }
  })

  it('that is no gzip, or breaks off, is refused', async () => {
    for (const body of [typename, gzipSync(typename).subarray(0, 20)]) {
      const answer = await post(body, gzip)
      expect([answer.status, errorOf(answer)]).toEqual([
        400,
        expect.objectContaining({
          message: 'the body is not the whole of a gzip stream, as its content-encoding says',
        }),
      ])
    }
  })

  it.each(['br', 'deflate', 'gzip, gzip', 'nonsense'])(
    'in another coding is refused with the one that is taken: %s',
    async (coding) => {
      const answer = await post(typename, { 'content-encoding': coding })
      expect([answer.status, answer.headers['accept-encoding']]).toEqual([415, 'gzip'])
      expect(errorOf(answer)).toMatchObject({
        message: 'expected a body that is not compressed, or compressed once by gzip',
        extensions: { code: 'UNSUPPORTED_MEDIA_TYPE' },
      })
    },
  )

  // Parsed, each of these would hold up all requests for the better part of a second.
  it.each([
    ['POST', '/graphql'],
    ['GET', '/graphql?query=%7B__typename%7D'],
    ['POST', '/push/nothing'],
    ['POST', '/nothing'],
  ])('of a type that goes on for long is refused before the type is parsed: %s %s', async (method, path) => {
    for (const type of [
      `application/json; charset=${' '.repeat(15_000)}x`,
      `application/json; charset=utf-8;${' '.repeat(15_000)}x`,
      `application/json;${' '.repeat(239)}x`,
    ]) {
      const answer = await send(path, { method, headers: { 'content-type': type } })
      expect([answer.status, errorOf(answer)]).toEqual([
        415,
        {
          message: 'expected a content-type of at most 256 characters',
          extensions: { code: 'UNSUPPORTED_MEDIA_TYPE', requestId: answer.headers['x-request-id'] },
        },
      ])
    }
  })
})

// Last: it does not end before its gateway does.
describe('a gateway that drains', () => {
  it('answers as before, sends balancers away, and ends each connection with its answer', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    expect((await post(typename, {}, agent)).headers['connection']).toBe('keep-alive')
    void gateway.gateway.drain()
    const answer = await post(typename, {}, agent)
    expect([answer.status, answer.headers['connection']]).toEqual([200, 'close'])
    const ready = await send('/readyz')
    expect([ready.status, JSON.parse(ready.body.toString())]).toEqual([
      503,
      expect.objectContaining({ status: 'draining' }),
    ])
    expect((await send('/healthz')).status).toBe(200)
    agent.destroy()
  })
})
