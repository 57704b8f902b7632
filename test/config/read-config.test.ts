import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readConfig, readEnvironment } from '../../src/config/read-config.ts'
import { InvalidConfig, type Problem } from '../../src/errors.ts'

const secret = 'hunter2-hunter2'
let folder: string
const home = process.cwd()

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'featuregraph-config-'))
})
afterEach(async () => {
  process.chdir(home)
  delete process.env['FEATUREGRAPH_PROJECT']
  await rm(folder, { recursive: true, force: true })
})

const named = (settings: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(settings).map(([name, value]) => [`FEATUREGRAPH_${name}`, value]))

function problemsOf(settings: Readonly<Record<string, string>>): readonly Problem[] {
  try {
    readConfig(named(settings))
  } catch (error) {
    if (!(error instanceof InvalidConfig)) throw error
    expect(error.message).not.toContain(secret)
    for (const { path, message } of error.problems) expect(error.message).toContain(`${path}: ${message}`)
    return error.problems
  }
  throw new Error('the settings were taken')
}

describe('settings', () => {
  it('have safe defaults', () => {
    expect(readConfig({ PATH: '/bin', FEATUREGRAPH_PORT: '' })).toEqual({
      host: '127.0.0.1',
      port: 4_000,
      offlineUrl: null,
      onlineUrl: null,
      streamUrl: null,
      project: 'default',
      schemaFolder: 'schema',
      appliedBy: null,
      dataFolder: join(home, '.featuregraph'),
      apiKeys: null,
      allowAnonymous: false,
      demo: true,
      worker: true,
      recomputeMicros: 3 * 86_400_000_000,
      metricsPort: null,
      corsOrigins: [],
      drainMs: 0,
      maxEntities: 1_000,
      maxBodyBytes: 1_048_576,
      maxAnswerBytes: 33_554_432,
      onlineConcurrency: 256,
      asOfConcurrency: 8,
      ingestionConcurrency: 32,
      answerThreads: expect.any(Number),
      requestsPerSecond: null,
      entitiesPerSecond: null,
      maxConnections: 10_000,
      documentLimits: {
        bytes: 100_000,
        tokens: 2_000,
        aliases: 100,
        definitions: 100,
        depth: 50,
        repeats: 60,
      },
      documentMsPerSecond: 0,
      trustedDocuments: {},
      graphiql: true,
      introspection: true,
      suggestions: true,
      audit: null,
      auditRetentionMicros: 90 * 86_400_000_000,
      pushReceiptRetentionMicros: 7 * 86_400_000_000,
      onlineEvictionDeclared: false,
      onlineFallback: false,
      onlineFallbackConcurrency: 4,
      onlineVerifyMisses: false,
      onlineTimeoutMs: 250,
      offlineTimeoutMs: 30_000,
      filesFolder: join(home, '.featuregraph', 'files'),
      filesMaxBytesPerKey: 20 * 1_073_741_824,
      spineMaxBytes: 4 * 1_073_741_824,
      spineMaxRows: 50_000_000,
      batchEngine: 'postgres',
      sparkSubmit: 'spark-submit --master local[*]',
      trainingEngine: 'auto',
      trainingSetConcurrency: 1,
      trainingSetMaxReads: 1_000_000_000,
      trainingSetPartRows: 1_000_000,
      trainingSetRetentionMicros: 7 * 86_400_000_000,
      duckDbMemory: '2GB',
      lake: { extensionsFolder: null, s3: { credentials: null, region: 'us-east-1', endpoint: null } },
      logLevel: 'info',
    })
  })

  it('show the demo only without a database, unless it is set', () => {
    const demo = (settings: Record<string, string>) => readConfig(named(settings)).demo
    expect(demo({})).toBe(true)
    expect(demo({ DEMO: 'false' })).toBe(false)
    expect(demo({ OFFLINE_URL: 'postgres://h/d' })).toBe(false)
    expect(demo({ OFFLINE_URL: 'postgres://h/d', DEMO: 'true' })).toBe(true)
  })

  it('run a worker in the gateway only without a database, unless it is set', () => {
    const worker = (settings: Record<string, string>) => readConfig(named(settings)).worker
    expect(worker({})).toBe(true)
    expect(worker({ WORKER: 'false' })).toBe(false)
    expect(worker({ OFFLINE_URL: 'postgres://h/d' })).toBe(false)
    expect(worker({ OFFLINE_URL: 'postgres://h/d', WORKER: 'true' })).toBe(true)
    expect(readConfig(named({ RECOMPUTE: '36h' })).recomputeMicros).toBe(36 * 3_600_000_000)
  })

  it.each([
    ['OFFLINE_URL', ['postgres://h/d', 'postgresql://u:p@[::1]:5432/d?sslmode=require']],
    ['ONLINE_URL', ['redis://h', 'rediss://u:p@h:1/2', 'postgres://h/d', 'memory:']],
    ['STREAM_URL', ['kafka://h:9092', 'kafka://u:p@h:1,i:2?tls=true&sasl=plain']],
    ['PORT', ['0', '65535', '0080']],
    ['PROJECT', ['a', 'a_1', `a${'b'.repeat(30)}`]],
    ['LOG_LEVEL', ['silent', 'trace']],
    ['CORS_ORIGINS', ['https://app.example.com', 'http://localhost:3000, https://[::1]:8443']],
    ['DRAIN_MS', ['0', '600000']],
    ['MAX_ENTITIES', ['1', '1000000']],
  ])('take %s', (name, values) => {
    for (const value of values) expect(() => readConfig(named({ [name]: value }))).not.toThrow()
  })

  it.each([
    ['OFFLINE_URL', ['h:5432', 'mysql://h', 'redis://h', 'memory:', 'postgres', 'postgres:']],
    ['STREAM_URL', ['h:9092', 'http://h', 'kafka:']],
    ['ONLINE_URL', ['localhost:6379', 'http://h', 'memory', 'memory://', 'mysql://h/d', 'redis:']],
    ['PORT', ['65536', '-1', '4e3', '4000.0', 'x', ' 4000', '0x10']],
    ['PROJECT', ['', 'A', '1a', 'a-b', 'a b', `a${'b'.repeat(31)}`, 'a"; drop schema x'].filter(Boolean)],
    ['DEMO', ['yes', '1', 'TRUE']],
    ['WORKER', ['yes', '1']],
    ['RECOMPUTE', ['0d', '3', '3 days', '-1d']],
    ['ALLOW_ANONYMOUS', ['yes', '1']],
    [
      'CORS_ORIGINS',
      [
        ...['app.example.com', 'https://app.example.com/', 'https://app.example.com/x', 'null', 'https://*'],
        ...['https://app.example.com:443', 'ftp://h', 'https://a.example.com,*', 'https://a.example.com,'],
      ],
    ],
    ['DRAIN_MS', ['5s', '-1', '600001']],
    ['MAX_ENTITIES', ['0', '1000001', '1_000', '∞']],
    ['MAX_BODY_BYTES', ['0', '1023', '1MB']],
    ['ONLINE_TIMEOUT_MS', ['0', '250ms', '-5']],
    ['OFFLINE_TIMEOUT_MS', ['0', '30s']],
    ['LOG_LEVEL', ['verbose', 'INFO']],
  ])('refuse %s with what was expected', (name, values) => {
    for (const value of values) {
      const problems = problemsOf({ [name]: value })
      expect([value, problems.map(({ path }) => path)]).toEqual([value, [`FEATUREGRAPH_${name}`]])
      expect(problems[0]?.message).toMatch(/expected /)
    }
  })

  it('report all problems at once, each by its variable, and no value that may hold a secret', () => {
    const problems = problemsOf({
      OFFLINE_URL: `mysql://me:${secret}@db.internal/x`,
      ONLINE_URL: `http://:${secret}@cache`,
      PORT: secret,
      PROJECT: 'Not A Project',
      DEMO: secret,
      MAX_ENTITIES: '0',
      LOG_LEVEL: secret,
      HOST: '0.0.0.0',
      API_KEYS_FILE: join(folder, 'absent.json'),
      REDIS_URL: `redis://:${secret}@cache`,
      OFLINE_URL: secret,
    })
    const paths = problems.map(({ path }) => path.replace('FEATUREGRAPH_', '')).sort()
    expect(paths).toEqual(
      [
        ...[
          'API_KEYS_FILE',
          'DEMO',
          'LOG_LEVEL',
          'MAX_ENTITIES',
          'OFFLINE_URL',
          'OFLINE_URL',
          'ONLINE_URL',
          'PORT',
        ],
        ...['PROJECT', 'REDIS_URL'],
      ].sort(),
    )
    const open = problemsOf({ HOST: '0.0.0.0', PORT: 'x' }).map(({ path }) => path)
    expect(open.sort()).toEqual(['FEATUREGRAPH_HOST', 'FEATUREGRAPH_PORT'])
  })

  it('report an unknown variable with the one that was probably meant, else with all that there are', () => {
    for (const [name, meant] of [
      ['OFLINE_URL', 'OFFLINE_URL'],
      ['CORS_ORIGIN', 'CORS_ORIGINS'],
      ['PROT', 'PORT'],
    ] as const) {
      expect(problemsOf({ [name]: 'x' })).toEqual([
        {
          path: `FEATUREGRAPH_${name}`,
          message: `there is no such setting; did you mean FEATUREGRAPH_${meant}?`,
        },
      ])
    }
    expect(problemsOf({ COLOUR_OF_THE_SKY: 'x' })[0]?.message).toMatch(
      /there are HOST, PORT, OFFLINE_URL, .*LOG_LEVEL$/,
    )
    for (const name of ['__proto__', 'constructor', 'toString'])
      expect(problemsOf({ [name]: 'x' }).map(({ path }) => path)).toEqual([`FEATUREGRAPH_${name}`])
  })
})

describe('pages of other origins', () => {
  it('may all be allowed only where a request shows a key, or may read at most', () => {
    const [problem] = problemsOf({ CORS_ORIGINS: '*' })
    expect(problem?.path).toBe('FEATUREGRAPH_CORS_ORIGINS')
    expect(problem?.message).toMatch(/FEATUREGRAPH_API_KEYS_FILE/)
    expect(readConfig(named({ CORS_ORIGINS: '*', ALLOW_ANONYMOUS: 'true' })).corsOrigins).toEqual(['*'])
    const two = 'https://a.example.com, http://localhost:3000'
    expect(readConfig(named({ CORS_ORIGINS: two })).corsOrigins).toEqual([
      'https://a.example.com',
      'http://localhost:3000',
    ])
  })
})

it('a gateway that other machines reach is drained before it ends, one for this machine only ends at once', () => {
  const drainMs = (settings: Record<string, string>) => readConfig(named(settings)).drainMs
  expect(drainMs({})).toBe(0)
  expect(drainMs({ HOST: '0.0.0.0', ALLOW_ANONYMOUS: 'true' })).toBe(5_000)
  expect(drainMs({ HOST: '0.0.0.0', ALLOW_ANONYMOUS: 'true', DRAIN_MS: '0' })).toBe(0)
})

describe('the keys file', () => {
  const digest = 'a'.repeat(64)
  const keys = async (text: string) => {
    const file = join(folder, 'keys.json')
    await writeFile(file, text)
    return { API_KEYS_FILE: file }
  }

  it('gives names, digests and rights', async () => {
    const entries = [{ name: 'a', sha256: digest, rights: ['read', 'write'] }]
    expect(readConfig(named(await keys(JSON.stringify(entries)))).apiKeys).toEqual(entries)
  })

  it.each([
    ['a key in plain text', [{ name: 'a', key: secret, rights: ['read'] }]],
    ['a plain key for a digest', [{ name: 'a', sha256: secret, rights: ['read'] }]],
    ['upper case', [{ name: 'a', sha256: 'A'.repeat(64), rights: ['read'] }]],
    ['an unknown right', [{ name: 'a', sha256: digest, rights: ['root'] }]],
    ['no rights', [{ name: 'a', sha256: digest, rights: [] }]],
    ['no name', [{ name: '', sha256: digest, rights: ['read'] }]],
    ['no keys', []],
    ['no list', { name: 'a', sha256: digest, rights: ['read'] }],
  ])('is refused with %s, and nothing of it is shown', async (_name, content) => {
    const problems = problemsOf(await keys(JSON.stringify(content)))
    expect(problems.length).toBeGreaterThan(0)
    for (const { path } of problems) expect(path).toMatch(/^FEATUREGRAPH_API_KEYS_FILE \[/)
  })

  it('is refused when it is no JSON, absent or a folder: no keys is never anyone may', async () => {
    expect(problemsOf(await keys(`{"${secret}": `))[0]?.message).toMatch(/is not JSON$/)
    expect(problemsOf({ API_KEYS_FILE: join(folder, 'absent') })[0]?.message).toMatch(/cannot be read$/)
    expect(problemsOf({ API_KEYS_FILE: folder })[0]?.message).toMatch(/cannot be read$/)
  })
})

describe('a .env file of the working directory', () => {
  it('is read, and the environment wins over it', async () => {
    await writeFile(
      join(folder, '.env'),
      'FEATUREGRAPH_PORT=4321\nFEATUREGRAPH_PROJECT="from_file" # said so\n',
    )
    process.chdir(folder)
    expect(readConfig(readEnvironment())).toMatchObject({ port: 4_321, project: 'from_file' })
    process.env['FEATUREGRAPH_PROJECT'] = 'from_environment'
    expect(readConfig(readEnvironment())).toMatchObject({ port: 4_321, project: 'from_environment' })
  })

  it('may be absent, and is reported when it cannot be read', async () => {
    process.chdir(folder)
    expect(readConfig(readEnvironment()).port).toBe(4_000)
    await import('node:fs/promises').then(({ mkdir }) => mkdir(join(folder, '.env')))
    expect(() => readEnvironment()).toThrow('.env: the file is there and cannot be read')
  })
})
