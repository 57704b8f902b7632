import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { InjectOptions } from 'fastify'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { readConfig } from '../../src/config/read-config.ts'
import { requireRight } from '../../src/graph/require-right.ts'
import { authenticator } from '../../src/server/authenticate.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { startTestGateway, type TestGateway } from './start-test-gateway.ts'

const keys = {
  reader: 'k-reader',
  writer: 'k-writer',
  admin: 'k with spaces is no bearer token',
  other: 'ключ',
}
const sha256 = (key: string): string => createHash('sha256').update(key).digest('hex')

let database: TestDatabase
let folder: string
let keysFile: string
const gateways: TestGateway[] = []

beforeAll(async () => {
  ;[database, folder] = await Promise.all([
    createTestDatabase(),
    mkdtemp(join(tmpdir(), 'featuregraph-keys-')),
  ])
  keysFile = join(folder, 'keys.json')
  const entries = [
    { name: 'scoring', sha256: sha256(keys.reader), rights: ['read'] },
    { name: 'importer', sha256: sha256(keys.writer), rights: ['write', 'admin'] },
    { name: 'other', sha256: sha256(keys.other), rights: ['read'] },
  ]
  await writeFile(keysFile, JSON.stringify(entries))
})
afterAll(async () => {
  await Promise.all(gateways.map((gateway) => gateway.close()))
  await Promise.all([database?.drop(), rm(folder, { recursive: true, force: true })])
})

async function start(settings: Record<string, string>): Promise<TestGateway> {
  const gateway = await startTestGateway({
    offlineUrl: database.url,
    onlineUrl: inject('redisUrl'),
    settings,
  })
  gateways.push(gateway)
  return gateway
}

interface Reply {
  readonly status: number
  readonly code: string | null
  readonly message: string | null
  readonly challenge: string | undefined
}

async function send(gateway: TestGateway, options: InjectOptions): Promise<Reply> {
  const response = await gateway.gateway.app.inject(options)
  const isJson = response.body !== '' && String(response.headers['content-type']).includes('json')
  const error = isJson ? response.json().errors?.[0] : undefined
  if (error !== undefined) expect(error.extensions.requestId).toMatch(/^[0-9a-f-]{36}$/)
  return {
    status: response.statusCode,
    code: error?.extensions.code ?? null,
    message: error?.message ?? null,
    challenge: response.headers['www-authenticate'] as string | undefined,
  }
}

const query = (headers: Record<string, string>): InjectOptions => ({
  method: 'POST',
  url: '/graphql',
  headers,
  payload: { query: '{ customer(customerId: 1) { customerProfile { score } } }' },
})
const bearer = (key: string) => ({ authorization: `Bearer ${key}` })
const ok: Reply = { status: 200, code: null, message: null, challenge: undefined }

describe('with a keys file', () => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await start({ API_KEYS_FILE: keysFile })
  })

  it('answers a known key under any host name, by GET and POST', async () => {
    expect(await send(gateway, query({ ...bearer(keys.reader), host: 'features.example' }))).toEqual(ok)
    expect(await send(gateway, query({ authorization: `bearer   ${keys.reader} ` }))).toEqual(ok)
    const url = `/graphql?query=${encodeURIComponent('{ __typename }')}`
    const get = {
      method: 'GET' as const,
      url,
      headers: { ...bearer(keys.reader), 'content-type': 'application/json' },
    }
    expect(await send(gateway, get)).toEqual(ok)
    expect(await send(gateway, { ...get, headers: { 'content-type': 'application/json' } })).toMatchObject({
      status: 401,
    })
  })

  it('answers a missing and an unknown key alike, and says nothing of the known ones', async () => {
    const expected: Reply = {
      status: 401,
      code: 'UNAUTHENTICATED',
      message: 'expected a known API key: Authorization: Bearer <key>',
      challenge: 'Bearer',
    }
    for (const headers of [
      {},
      { authorization: '' },
      { authorization: 'Bearer' },
      { authorization: 'Bearer ' },
      { authorization: `Bearer ${keys.reader}x` },
      { authorization: `Bearer ${keys.reader.slice(0, -1)}` },
      { authorization: `Bearer ${keys.reader} ${keys.reader}` },
      { authorization: `Bearer ${sha256(keys.reader)}` },
      { authorization: keys.reader },
      { authorization: `Basic ${Buffer.from(`x:${keys.reader}`).toString('base64')}` },
      { authorization: `Token ${keys.reader}` },
      { authorization: `Bearer ${'x'.repeat(8_000)}` },
      { 'x-api-key': keys.reader },
    ])
      expect([headers, await send(gateway, query(headers as Record<string, string>))]).toEqual([
        headers,
        expected,
      ])
    // A wrong query of an unknown caller is not looked at.
    const wrong = {
      method: 'POST' as const,
      url: '/graphql',
      headers: { 'content-type': 'text/plain' },
      payload: '{',
    }
    expect(await send(gateway, wrong)).toEqual(expected)
    const large = {
      ...wrong,
      headers: { 'content-type': 'application/json' },
      payload: 'x'.repeat(2_000_000),
    }
    expect(await send(gateway, large)).toEqual(expected)
  })

  it('refuses a known key that lacks the right', async () => {
    const expected = {
      status: 403,
      code: 'FORBIDDEN',
      message: 'this needs the right "read"',
      challenge: undefined,
    }
    expect(await send(gateway, query(bearer(keys.writer)))).toEqual(expected)
    expect(await send(gateway, { url: '/metrics', headers: bearer(keys.writer) })).toEqual(expected)
  })

  it('guards /metrics, and leaves open what shows no data', async () => {
    expect(await send(gateway, { url: '/metrics' })).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' })
    expect(await send(gateway, { method: 'HEAD', url: '/metrics' })).toMatchObject({ status: 401 })
    expect(await send(gateway, { url: '/metrics', headers: bearer(keys.reader) })).toEqual(ok)
    for (const url of ['/healthz', '/readyz'])
      expect(await send(gateway, { url, headers: { host: 'x' } })).toEqual(ok)
    expect([200, 503]).toContain((await send(gateway, { url: '/' })).status)
  })
})

describe('with a keys file and anonymous callers', () => {
  it('lets callers without a key read, and a wrong key is still refused', async () => {
    const gateway = await start({ API_KEYS_FILE: keysFile, ALLOW_ANONYMOUS: 'true' })
    expect(await send(gateway, query({}))).toEqual(ok)
    expect(await send(gateway, { url: '/metrics' })).toEqual(ok)
    expect(await send(gateway, query(bearer('wrong')))).toMatchObject({ status: 401 })
    expect(await send(gateway, query(bearer(keys.writer)))).toMatchObject({ status: 403 })
  })
})

describe('without a keys file', () => {
  it('answers only when it is addressed by a loopback name, with or without a port', async () => {
    const gateway = await start({})
    for (const host of [
      ...[
        'localhost',
        'localhost:4000',
        'LOCALHOST:1',
        '127.0.0.1',
        '127.0.0.1:4000',
        '127.1.2.3',
        '[::1]',
        '[::1]:4000',
      ],
    ])
      expect([host, await send(gateway, query({ host }))]).toEqual([host, ok])
    for (const host of [
      ...[
        'evil.example',
        'evil.example:4000',
        'localhost.evil.example',
        '127.0.0.1.evil.example',
        'evil-localhost',
      ],
      ...[
        'localhost:evil',
        '::1',
        '[::2]',
        '[::1',
        '0.0.0.0',
        '10.0.0.1',
        '127.0.0.1@evil.example',
        '127.0.0',
        '[127.0.0.1].x',
      ],
      ...['localhost, evil.example', ' ', '[]', ':4000'],
    ])
      expect([host, await send(gateway, query({ host }))]).toMatchObject([
        host,
        { status: 403, code: 'FORBIDDEN' },
      ])
    expect(await send(gateway, { url: '/metrics', headers: { host: 'evil.example' } })).toMatchObject({
      status: 403,
    })
    expect(await send(gateway, { url: '/healthz', headers: { host: 'evil.example' } })).toEqual(ok)
    // A forwarded name does not count.
    const forwarded = query({
      host: 'evil.example',
      'x-forwarded-host': 'localhost',
      forwarded: 'host=localhost',
    })
    expect(await send(gateway, forwarded)).toMatchObject({ status: 403 })
  })

  it('gives a loopback caller every right, an anonymous one only read', () => {
    const loopback = authenticator(readConfig({}))({ authorization: undefined, host: 'localhost' })
    expect([...loopback.rights].sort()).toEqual(['admin', 'read', 'train', 'write'])
    const config = readConfig({ FEATUREGRAPH_HOST: '0.0.0.0', FEATUREGRAPH_ALLOW_ANONYMOUS: 'true' })
    const anonymous = authenticator(config)({ authorization: undefined, host: 'features.example' })
    expect([...anonymous.rights]).toEqual(['read'])
    expect(() => requireRight(anonymous, 'read')).not.toThrow()
    for (const right of ['write', 'admin'] as const)
      expect(() => requireRight(anonymous, right)).toThrow(`"${right}"`)
  })

  it('refuses to listen beyond this machine', () => {
    for (const host of [
      '0.0.0.0',
      '::',
      '10.0.0.1',
      'example.com',
      '127.0.0.1.example.com',
      'localhost.example.com',
    ])
      expect(() => readConfig({ FEATUREGRAPH_HOST: host })).toThrow('can be reached from other machines')
    for (const host of ['127.0.0.1', '127.9.9.9', '::1', 'localhost'])
      expect(readConfig({ FEATUREGRAPH_HOST: host }).host).toBe(host)
    expect(
      readConfig({ FEATUREGRAPH_HOST: '0.0.0.0', FEATUREGRAPH_API_KEYS_FILE: keysFile }).apiKeys,
    ).toHaveLength(3)
  })
})
