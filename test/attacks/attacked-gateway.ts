import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, inject } from 'vitest'
import { startTestGateway, type TestGateway } from '../server/start-test-gateway.ts'
import { createTestDatabase } from '../services/test-database.ts'

/** What the gateway is set to: little, so that attacks of a few kB meet the limits. */
export const limits = { entities: 10, bodyBytes: 1_048_576, connections: 400 }
export const trustedText = `query Trusted { ${Array.from({ length: 150 }, (_, index) => `a${index}: __typename`).join(' ')} }`

export interface Sent {
  readonly status: number
  readonly text: string
  readonly headers: Headers
  /** Of the errors, in order. */
  readonly codes: readonly string[]
  readonly messages: readonly string[]
}

export interface Attacked {
  readonly gateway: TestGateway
  readonly databaseUrl: string
  /** The rights; another caller each time, with an account of time of its own. */
  readonly caller: (rights: 'read' | 'everything') => Caller
  /** Bytes as they are, on a connection of their own; what came until it was closed. */
  readonly raw: (bytes: string | Buffer) => Promise<string>
  readonly close: () => Promise<void>
}

export interface Caller {
  readonly name: string
  readonly authorization: { readonly authorization: string }
  readonly fetch: (path: string, init?: RequestInit) => Promise<Sent>
  readonly ask: (
    query: string,
    variables?: unknown,
    headers?: Readonly<Record<string, string>>,
  ) => Promise<Sent>
  /** A GraphQL body as it stands. */
  readonly post: (
    body: string | Uint8Array<ArrayBuffer>,
    headers?: Readonly<Record<string, string>>,
  ) => Promise<Sent>
}

const callers = { read: 200, everything: 20 }

/** With keys, every switch off, and metrics and audit where an operator would have them. */
export async function startAttacked(): Promise<Attacked> {
  const [database, folder] = await Promise.all([
    createTestDatabase(),
    mkdtemp(join(tmpdir(), 'featuregraph-attacks-')),
  ])
  const keysOf = (name: keyof typeof callers, rights: readonly string[]) =>
    Array.from({ length: callers[name] }, (_, index) => {
      const key = `${name}-${index}`
      return { name: key, sha256: createHash('sha256').update(key).digest('hex'), rights }
    })
  const keys = [...keysOf('read', ['read']), ...keysOf('everything', ['read', 'write', 'train', 'admin'])]
  await writeFile(join(folder, 'keys.json'), JSON.stringify(keys))
  await writeFile(join(folder, 'trusted.json'), JSON.stringify({ trusted: trustedText }))
  const gateway = await startTestGateway({
    offlineUrl: database.url,
    onlineUrl: inject('redisUrl'),
    settings: {
      API_KEYS_FILE: join(folder, 'keys.json'),
      TRUSTED_DOCUMENTS: join(folder, 'trusted.json'),
      MAX_ENTITIES: String(limits.entities),
      MAX_CONNECTIONS: String(limits.connections),
      DOCUMENT_MS_PER_SECOND: '100',
      FILES: join(folder, 'files'),
      METRICS_PORT: '0',
      AUDIT: 'table',
      ...{ GRAPHIQL: 'false', INTROSPECTION: 'false', SUGGESTIONS: 'false' },
    },
  })
  const next = { read: 0, everything: 0 }
  const { url } = gateway
  const send = async (path: string, init: RequestInit): Promise<Sent> =>
    sent(await fetch(`${url}${path}`, init))
  const caller: Attacked['caller'] = (rights) => {
    const name = `${rights}-${next[rights]}`
    next[rights] += 1
    if (next[rights] > callers[rights]) throw new Error('there are not so many keys')
    const authorization = { authorization: `Bearer ${name}` }
    const post: Caller['post'] = (body, headers = {}) =>
      send('/graphql', {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...authorization, ...headers },
        body,
      })
    return {
      ...{ name, authorization, post },
      fetch: (path, init = {}) =>
        send(path, { redirect: 'manual', ...init, headers: { ...authorization, ...init.headers } }),
      ask: (query, variables = {}, headers = {}) => post(JSON.stringify({ query, variables }), headers),
    }
  }
  return {
    ...{ gateway, caller, databaseUrl: database.url },
    raw: (bytes) => exchange(url, bytes),
    async close() {
      await gateway.close()
      await Promise.all([database.drop(), rm(folder, { recursive: true, force: true })])
    },
  }
}

async function sent(response: Response): Promise<Sent> {
  const text = await response.text()
  const errors = errorsOf(text)
  return {
    ...{ status: response.status, text, headers: response.headers },
    codes: errors.map(({ extensions }) => extensions?.code ?? ''),
    messages: errors.map(({ message }) => message),
  }
}

function errorsOf(text: string): readonly { message: string; extensions?: { code?: string } }[] {
  try {
    return (JSON.parse(text) as { errors?: [] }).errors ?? []
  } catch {
    return []
  }
}

function exchange(url: string, bytes: string | Buffer): Promise<string> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve) => {
    let text = ''
    const socket = connect(Number(port), hostname, () => socket.write(bytes))
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
    })
    // A connection that is reset has an answer all the same.
    socket.on('error', () => {})
    socket.on('close', () => resolve(text))
  })
}

/** A refusal is small, has one error code, and shows nothing of the inside. */
export function expectRefused(answer: Sent, status: number, code: string, ...said: readonly string[]): void {
  expect([answer.status, ...new Set(answer.codes)], answer.text.slice(0, 500)).toEqual([status, code])
  expect(answer.text.length).toBeLessThan(2_048)
  expect(answer.text).not.toMatch(
    /call stack|RangeError|TypeError|node_modules|\.ts\b|select .* from|sqlstate/i,
  )
  for (const words of said) expect(answer.messages.join('\n')).toContain(words)
}
