import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import type { Clock } from '../../../src/definitions/timestamp.ts'
import { formatTimestamp } from '../../../src/definitions/timestamp.ts'
import { systemClock } from '../../../src/gateway/system-clock.ts'
import {
  type Answer,
  newProject,
  startTestGateway,
  type TestGateway,
} from '../../server/start-test-gateway.ts'
import { createTestDatabase } from '../../services/test-database.ts'
import { waitUntil } from '../../services/wait-until.ts'

const hour = 3_600_000_000
export const now = systemClock()

const keys = {
  ann: ['read', 'train'],
  bob: ['read', 'train'],
  boss: ['read', 'admin'],
  reader: ['read'],
} as const
type KeyName = keyof typeof keys

export const definitions = `export const shop = { kind: 'entity', name: 'shop', joinKeys: { shop_id: 'string' } }
  export const profile = { kind: 'feature-view', name: 'profile', entity: 'shop', ttl: '10h', online: false,
    features: { seats: { type: 'int64', default: 4 }, rating: { type: 'float32', expect: { max: 5 } }, name: 'string' } }
  export const demand = { kind: 'feature-service', name: 'demand_v1', features: [
    { kind: 'pick', view: 'profile', features: [{ name: 'seats' }, { name: 'rating' }] },
    { kind: 'request', name: 'rain', type: 'float64' } ] }`

/** What a training set answers of itself, as callers ask for it. */
const setFields = `id state progress rows knownAt error errorCode cardUrl createdAt finishedAt expiresAt
  parts { url format rows bytes sha256 }`

export interface JobWorld {
  readonly folder: string
  readonly files: string
  readonly gateway: TestGateway
  readonly project: string
  readonly databaseUrl: string
  /** Settings of the gateway, with their prefix: for a process that is to do the same. */
  readonly environment: Readonly<Record<string, string>>
  readonly ask: (
    query: string,
    variables?: Readonly<Record<string, unknown>>,
    key?: KeyName,
  ) => Promise<Answer>
  readonly upload: (
    body: Buffer | string | ReadableStream,
    options?: { readonly query?: string; readonly key?: KeyName; readonly headers?: Record<string, string> },
  ) => Promise<{ readonly status: number; readonly body: SpineAnswer }>
  readonly create: (input: Readonly<Record<string, unknown>>, key?: KeyName) => Promise<Answer>
  /** The set once it has ended. */
  readonly ended: (id: string, key?: KeyName) => Promise<SetAnswer>
  readonly get: (
    path: string,
    options?: { readonly key?: KeyName; readonly headers?: Record<string, string>; readonly method?: string },
  ) => Promise<Response>
  readonly close: () => Promise<void>
}

interface SpineAnswer {
  readonly id: string
  readonly rows: number
  readonly columns: readonly string[]
  readonly sha256: string
  readonly errors?: readonly { readonly message: string; readonly extensions: { readonly code: string } }[]
}

export interface SetAnswer {
  readonly id: string
  readonly state: string
  readonly progress: number
  readonly rows: number
  readonly error: string | null
  readonly errorCode: string | null
  readonly cardUrl: string | null
  readonly expiresAt: string | null
  readonly parts: readonly {
    readonly url: string
    readonly format: string
    readonly rows: number
    readonly bytes: number
    readonly sha256: string
  }[]
}

export interface JobWorldOptions {
  readonly settings?: Readonly<Record<string, string>>
  readonly clock?: Clock
  readonly apart?: (
    environment: Readonly<Record<string, string>>,
  ) => NonNullable<Parameters<typeof startTestGateway>[0]['apartTrainingJob']>
}

/** A gateway of one shop's profile with a folder for training sets, and keys of several rights. */
export async function startJobWorld(options: JobWorldOptions = {}): Promise<JobWorld> {
  const [folder, database] = await Promise.all([
    mkdtemp(join(tmpdir(), 'featuregraph-jobs-')),
    createTestDatabase(),
  ])
  const files = join(folder, 'files')
  await mkdir(join(folder, 'schema'))
  await writeFile(join(folder, 'schema', 'bakery.mjs'), definitions)
  const sha256 = (key: string): string => createHash('sha256').update(key).digest('hex')
  const entries = Object.entries(keys).map(([name, rights]) => ({ name, sha256: sha256(name), rights }))
  await writeFile(join(folder, 'keys.json'), JSON.stringify(entries))
  const project = newProject()
  const settings = {
    ...{ PROJECT: project, SCHEMA: join(folder, 'schema'), FILES: files, WORKER: 'false' },
    ...{ API_KEYS_FILE: join(folder, 'keys.json'), ...options.settings },
  }
  const environment = Object.fromEntries(
    Object.entries({ ...settings, OFFLINE_URL: database.url, DEMO: 'false' }).map(([name, value]) => [
      `FEATUREGRAPH_${name}`,
      value,
    ]),
  )
  const gateway = await startTestGateway({
    ...{ offlineUrl: database.url, onlineUrl: 'memory:', makeTables: false, settings },
    ...(options.clock ? { clock: options.clock } : {}),
    ...(options.apart ? { apartTrainingJob: options.apart(environment) } : {}),
  })
  const shop = (id: string) => ({ shop_id: id })
  await gateway.write('profile', [
    { key: shop('a'), at: now - 8 * hour, values: { seats: 12, rating: 4.5, name: 'Ä, "b"' } },
    { key: shop('a'), at: now - 7 * hour, values: { seats: 7, rating: 9 } },
    { key: shop('b'), at: now - 30 * hour, values: { seats: 1 } },
  ])
  const bearer = (key: KeyName) => ({ authorization: `Bearer ${key}` })
  const ask: JobWorld['ask'] = (query, variables = {}, key = 'ann') =>
    gateway.ask(query, variables, { headers: bearer(key) })
  return {
    ...{ folder, files, gateway, project, databaseUrl: database.url, environment, ask },
    async upload(body, { query = '', key = 'ann', headers = {} } = {}) {
      const answer = await fetch(`${gateway.url}/spines${query}`, {
        method: 'POST',
        headers: { ...bearer(key), ...headers },
        body,
        ...(body instanceof ReadableStream ? { duplex: 'half' } : {}),
      } as RequestInit)
      return { status: answer.status, body: (await answer.json()) as SpineAnswer }
    },
    create: (input, key = 'ann') =>
      ask(
        `mutation ($input: CreateTrainingSetInput!) { createTrainingSet(input: $input) { ${setFields} } }`,
        { input },
        key,
      ),
    async ended(id, key = 'ann') {
      let found: SetAnswer | null = null
      await waitUntil(
        async () => {
          const { data } = await ask(
            `query ($id: ID!) { trainingSet(id: $id) { ${setFields} } }`,
            { id },
            key,
          )
          found = data?.trainingSet ?? null
          return found !== null && !['QUEUED', 'RUNNING'].includes(found.state)
        },
        () => `the training set has ended: ${JSON.stringify(found)}`,
      )
      if (found === null) throw new Error('the training set is not there')
      return found
    },
    get: (path, { key = 'ann', headers = {}, method = 'GET' } = {}) =>
      fetch(`${gateway.url}${path}`, { method, headers: { ...bearer(key), ...headers } }),
    async close() {
      await gateway.close()
      await Promise.all([rm(folder, { recursive: true, force: true }), database.drop()])
    },
  }
}

/** A query of DuckDB's, as JSON has its values. */
export async function query(sql: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  try {
    await connection.run(`set timezone = 'UTC'`)
    return (await connection.runAndReadAll(sql)).getRowObjectsJson() as Record<string, unknown>[]
  } finally {
    connection.disconnectSync()
    instance.closeSync()
  }
}

/** Eight rows with a label; the fifth has no key, the sixth no time. */
export function spineCsv(): string {
  const at = (hours: number): string => formatTimestamp(now - hours * hour)
  return [
    'shop_id,event_timestamp,rain,label',
    `a,${at(0)},0.5,1`,
    `a,${at(7.5)},1,0`,
    `nobody,${at(0)},2,`,
    `b,${at(1)},3,1`,
    `,${at(0)},4,1`,
    'a,,5,0',
    `a,${at(50)},6,0`,
    `a,${at(0)},0.5,1`,
    '',
  ].join('\n')
}
