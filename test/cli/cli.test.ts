import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildSchema, parse, print, printSchema } from 'graphql'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { freePort } from '../../src/embedded/free-port.ts'
import { newProject } from '../server/start-test-gateway.ts'
import { applyFolder } from '../services/apply-folder.ts'
import { worldFolder } from '../services/plain-definitions.ts'
import { execute } from '../services/postgres.ts'
import { postgresUrl } from '../services/postgres-url.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { testPool } from '../services/test-pool.ts'
import { type Outcome, type Running, repository, startCommand } from './start-command.ts'

const secret = 'hunter2-hunter2'

let folder: string
let database: TestDatabase
beforeAll(async () => {
  ;[folder, database] = await Promise.all([
    mkdtemp(join(tmpdir(), 'featuregraph-cli-')),
    createTestDatabase(),
  ])
})
afterAll(async () => {
  await Promise.all([rm(folder, { recursive: true, force: true }), database?.drop()])
})

const start = (args: readonly string[], settings: Readonly<Record<string, string>> = {}): Running =>
  startCommand(args, settings, folder)
const run = (args: readonly string[], settings?: Readonly<Record<string, string>>): Promise<Outcome> =>
  start(args, settings).ended

const stack = /\n\s+at |node_modules/

describe.concurrent('sdl', () => {
  it('prints the schema that is committed', async () => {
    const { code, stdout, stderr } = await run(['sdl'], { SCHEMA: 'schema' })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toBe(await readFile(join(repository, 'schema/schema.graphql'), 'utf8'))
  })

  it('prints what parses and prints as itself', async () => {
    const { code, stdout } = await run(['sdl'], { SCHEMA: worldFolder() })
    expect(code).toBe(0)
    expect(`${printSchema(buildSchema(stdout))}\n`).toBe(stdout)
    expect(print(parse(stdout)).length).toBeGreaterThan(1_000)
  })

  it('loads ES modules named .js also from a package that does not say so', async () => {
    const mine = await mkdtemp(join(folder, 'mine-'))
    await writeFile(join(mine, 'package.json'), '{}')
    await writeFile(
      join(mine, 'a.js'),
      `export const customer = { kind: 'entity', name: 'customer', joinKeys: { customer_id: 'int64' } }
       export const stats = { kind: 'feature-view', name: 'stats', entity: 'customer', features: { n: 'int64' } }`,
    )
    // Standard error may hold advice of Node, from 20.19 on, to say so in `package.json`.
    const { code, stdout } = await run(['sdl'], { SCHEMA: mine })
    expect(code).toBe(0)
    expect(stdout).toContain('type Stats {')
  })

  it('needs no store, and takes no notice of one that is away', async () => {
    const { code, stdout } = await run(['sdl'], {
      OFFLINE_URL: 'postgres://nobody@127.0.0.1:1/none',
      ONLINE_URL: 'redis://127.0.0.1:1',
    })
    expect([code, stdout.includes('type Query {')]).toEqual([0, true])
  })

  it('reports everything that is wrong with the definitions on standard error, and nothing else', async () => {
    const definitions = await mkdtemp(join(folder, 'broken-'))
    await writeFile(
      join(definitions, 'a.mjs'),
      `export const customer = { kind: 'entity', name: 'customer', joinKeys: { customer_id: 'int64' } }
       export const bad = { kind: 'entity', name: 'Bad Name', joinKeys: {} }
       export const lost = { kind: 'feature-view', name: 'lost', entity: 'custumer', features: { a: 'int64' } }`,
    )
    await writeFile(
      join(definitions, 'b.mjs'),
      `export const typed = { kind: 'feature-view', name: 'typed', entity: 'customer', features: { a: 'integer' } }`,
    )
    const { code, stdout, stderr } = await run(['sdl'], { SCHEMA: definitions })
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(/^featuregraph: the definitions have \d+ problem\(s\):\n/)
    for (const message of [
      'Bad Name.name',
      'Bad Name.joinKeys',
      'typed.features.a',
      '"custumer"',
      '"customer"',
      'b.mjs',
    ])
      expect(stderr).toContain(message)
    expect(stderr).toMatch(/a\.mjs: bad/)
    expect(stderr).not.toMatch(stack)
  })

  it('reports a file that cannot be loaded and a folder that is not there', async () => {
    const definitions = await mkdtemp(join(folder, 'broken-'))
    await writeFile(join(definitions, 'a.mjs'), 'export const = 5')
    const broken = await run(['sdl'], { SCHEMA: definitions })
    expect([broken.code, broken.stdout]).toEqual([1, ''])
    expect(broken.stderr).toContain('a.mjs')
    expect(broken.stderr).not.toMatch(stack)
    const absent = await run(['sdl'], { SCHEMA: join(folder, 'absent') })
    expect([absent.code, absent.stdout]).toEqual([1, ''])
    expect(absent.stderr).toContain('FEATUREGRAPH_SCHEMA')
    expect(absent.stderr).not.toMatch(stack)
  })
})

describe.concurrent('migrate', () => {
  it('brings an empty database up to date, and again does nothing', async () => {
    const name = `test_${newProject()}`
    const server = postgresUrl()
    await execute(server, `create database ${name}`)
    const url = new URL(server)
    url.pathname = `/${name}`
    const pool = testPool(url.href, 1)
    try {
      for (const round of ['first', 'second']) {
        const { code, stdout, stderr } = await run(['migrate'], { OFFLINE_URL: url.href, LOG_LEVEL: 'warn' })
        expect([round, code, stdout, stderr]).toEqual([round, 0, 'the database is up to date\n', ''])
      }
      const { rows } = await pool.query<{ name: string }>(
        'select name from featuregraph.migrations order by name',
      )
      const files = (await readdir(join(repository, 'migrations')))
        .filter((file) => file.endsWith('.sql'))
        .sort()
      expect(rows.map((row) => row.name)).toEqual(files)
      expect(files.length).toBeGreaterThan(0)
    } finally {
      await pool.end()
      await execute(server, `drop database ${name} with (force)`)
    }
  })

  it('refuses memory:, which would be gone with it', async () => {
    const { code, stdout, stderr } = await run(['migrate'], {
      OFFLINE_URL: database.url,
      ONLINE_URL: 'memory:',
    })
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(/FEATUREGRAPH_ONLINE_URL: memory: lives inside one gateway only/)
  })

  it('reports a database that does not answer with its setting and what to do, without its password', async () => {
    const port = await freePort()
    const { code, stdout, stderr } = await run(['migrate'], {
      OFFLINE_URL: `postgres://me:${secret}@127.0.0.1:${port}/none`,
    })
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toBe(
      `featuregraph: FEATUREGRAPH_OFFLINE_URL: Postgres at 127.0.0.1:${port} does not answer (connect ECONNREFUSED 127.0.0.1:${port}); start it, or correct the host and port\n`,
    )
    expect(stderr).not.toContain(secret)
  })
})

describe.concurrent('a wrong call', () => {
  it.each([[['nonsense']], [['sdl', '--nonsense']], [[]]])(
    'is reported, with exit code 1: %j',
    async (args) => {
      const { code, stdout, stderr } = await run(args)
      expect([code, stdout]).toEqual([1, ''])
      expect(stderr).toMatch(/unknown|Usage/)
      expect(stderr).not.toMatch(stack)
    },
  )

  it('--help is no error', async () => {
    const { code, stdout } = await run(['--help'])
    expect(code).toBe(0)
    for (const command of ['serve', 'sdl', 'migrate']) expect(stdout).toContain(command)
  })
})

describe.concurrent('serve', () => {
  const settings = () => ({
    OFFLINE_URL: database.url,
    ONLINE_URL: inject('redisUrl'),
    PROJECT: newProject(),
    PORT: '0',
    LOG_LEVEL: 'warn',
  })

  async function listening({ output, ended }: Running): Promise<string> {
    const stopped = ended.then(({ code, stdout, stderr }) => {
      throw new Error(`serve ended with ${code}:\n${stdout}\n${stderr}`)
    })
    stopped.catch(() => {})
    for (;;) {
      const [, url] = /answers at (http\S+)\/graphql/.exec(output.stdout) ?? []
      if (url !== undefined) return url
      await Promise.race([stopped, new Promise((resolve) => setTimeout(resolve, 20))])
    }
  }

  it('runs until SIGTERM, and ends with exit code 0', async () => {
    const running = start(['serve'], settings())
    try {
      const url = await listening(running)
      const response = await fetch(`${url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"query":"{ featureServices { name } }"}',
      })
      expect(await response.json()).toEqual({ data: { featureServices: [{ name: 'fraud_detection_v1' }] } })
      running.child.kill('SIGTERM')
      const { code, stdout, stderr } = await running.ended
      expect([code, stderr]).toEqual([0, ''])
      expect(stdout).toContain('SIGTERM: finishing what is running')
    } finally {
      running.child.kill('SIGKILL')
    }
  })

  it('reports all that is wrong with its settings, and shows no secret', async () => {
    const { code, stdout, stderr } = await run(['serve'], {
      OFFLINE_URL: `mysql://me:${secret}@db/x`,
      ONLINE_URL: `http://:${secret}@cache`,
      PORT: 'four thousand',
      HOST: '0.0.0.0',
      PASSWORD: secret,
    })
    expect([code, stdout]).toEqual([1, ''])
    for (const name of ['OFFLINE_URL', 'ONLINE_URL', 'PORT', 'HOST', 'PASSWORD'])
      expect(stderr).toContain(`FEATUREGRAPH_${name}: `)
    expect(stderr).not.toContain(secret)
    expect(stderr).not.toMatch(stack)
  })

  it('reports a port that is taken in one line, with the setting', async () => {
    const other = createServer()
    const port = await new Promise<number>((resolve) =>
      other.listen(0, '127.0.0.1', () => {
        const address = other.address()
        resolve(typeof address === 'object' && address !== null ? address.port : 0)
      }),
    )
    try {
      const { code, stderr } = await run(['serve'], { ...settings(), PORT: String(port) })
      expect(code).toBe(1)
      expect(stderr).toContain(`FEATUREGRAPH_PORT: port ${port} of 127.0.0.1 is taken; stop what`)
      expect(stderr).not.toMatch(stack)
    } finally {
      other.close()
    }
  })
})

describe.concurrent('materialize, status and runs', () => {
  const settings = async () => {
    const own = {
      OFFLINE_URL: database.url,
      ONLINE_URL: inject('redisUrl'),
      PROJECT: newProject(),
      LOG_LEVEL: 'error',
    }
    await applyFolder({ ...own, SCHEMA: join(repository, 'schema') })
    return own
  }

  it('materialize rows, report how far, and list what was run', async () => {
    const own = await settings()
    const first = await run(['materialize', 'customer_transaction_features'], own)
    expect(first).toEqual({
      ...{ code: 0, stderr: '' },
      stdout:
        'customer_transaction_features: 0 rows read, 0 written, 0 older than what was there, 0 expired (in full, the first run)\n',
    })
    await execute(
      database.url,
      `insert into features_${own.PROJECT}.customer_transaction_features (customer_id, event_timestamp, transaction_count_7d)
       values (1, now() - interval '1 h', 1), (1, now() - interval '2 h', 2), (2, now() - interval '900 d', 3), (3, now() + interval '1 h', 4)`,
    )
    const behind = await run(['status'], own)
    expect(behind.stdout).toMatch(
      /^VIEW +NEWEST OFFLINE +NEWEST ONLINE +MATERIALIZED UNTIL +OLDEST NOT MATERIALIZED +ONLINE ROWS\n/,
    )
    expect(behind.stdout).toMatch(/\ncustomer_transaction_features +20\S+Z +-( +20\S+Z){2} +unchecked\n/)
    const second = await run(['materialize'], own)
    expect(second.stdout).toContain(
      'customer_transaction_features: 2 rows read, 1 written, 0 older than what was there, 1 expired\n',
    )
    expect((await run(['status'], own)).stdout).toMatch(
      /\ncustomer_transaction_features( +20\S+Z){3} +- +unchecked\n/,
    )
    const range = ['--from', '2020-01-01T00:00:00Z', '--to', '2021-01-01T00:00:00Z']
    const ranged = await run(['materialize', 'customer_transaction_features', ...range], own)
    expect(ranged.stdout).toContain('customer_transaction_features: 0 rows read')
    const listed = await run(
      ['runs', '--kind', 'materialize', '--view', 'customer_transaction_features'],
      own,
    )
    const lines = listed.stdout.trimEnd().split('\n')
    expect(lines[0]).toMatch(/^STARTED +KIND +VIEW +STATE +SECONDS +READ +WRITTEN +ERROR$/)
    expect(lines.slice(1).map((line) => line.split(/ +/).slice(1, 4).join(' '))).toEqual(
      Array.from({ length: 3 }, () => 'MATERIALIZE customer_transaction_features SUCCEEDED'),
    )
    expect(lines[2]).toMatch(/ 2 +1$/)
  })

  it('refuse what they do not know, with what may have been meant, and memory', async () => {
    const own = await settings()
    const outcomes = await Promise.all([
      run(['materialize', 'customer_transactions_features', 'zzz'], own),
      run(['materialize', '--from', 'yesterday'], own),
      run(['runs', '--kind', 'materialise'], own),
      run(['materialize'], { ...own, ONLINE_URL: 'memory:' }),
    ])
    const messages = [
      /no feature view "customer_transactions_features"; did you mean "customer_transaction_features"\?\nthere is no feature view "zzz"/,
      /--from expects an RFC 3339 timestamp.*got "yesterday"/,
      /no kind of run "materialise"; did you mean "materialize"\?/,
      /FEATUREGRAPH_ONLINE_URL: memory:/,
    ]
    outcomes.forEach(({ code, stdout, stderr }, index) => {
      expect([code, stdout]).toEqual([1, ''])
      expect(stderr).toMatch(messages[index] ?? /never/)
      expect(stderr).not.toMatch(stack)
    })
  })
})
