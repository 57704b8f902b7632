import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { parse, print, visit } from 'graphql'
import { afterAll, beforeAll, describe, expect, inject, it, type TestContext } from 'vitest'
import { systemClock } from '../../src/gateway/system-clock.ts'
import { buildSchema, printSdl } from '../../src/graph/build-schema.ts'
import { startTestGateway, type TestGateway } from '../server/start-test-gateway.ts'
import { clientPackages } from '../services/client-packages.ts'
import { isLong } from '../services/long-run.ts'
import { installPython, type Python, pythonWith } from '../services/python-packages.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'

const run = promisify(execFile)
const repository = fileURLToPath(new URL('../..', import.meta.url))
let database: TestDatabase
let gateway: TestGateway
let folder: string
let docs: string

beforeAll(async () => {
  database = await createTestDatabase()
  gateway = await startTestGateway({ offlineUrl: database.url, onlineUrl: inject('redisUrl') })
  const daily = { total_transactions_30d: 1234.5, avg_transaction_amount_30d: 12.5, transaction_count_7d: 6 }
  const now = systemClock()
  for (const at of [now - 90_000_000_000, now - 1_000_000])
    await gateway.write('customer_transaction_features', [
      { key: { customer_id: 1001 }, at, values: { ...daily, max_transaction_amount_30d: 99 } },
    ])
  const lastHour = { transactions_last_hour: 2, amount_last_hour: 31.75, failed_transactions_last_hour: 1 }
  await gateway.write('customer_realtime_features', [
    { key: { customer_id: 1001 }, at: now - 1_000_000, values: lastHour },
  ])
  folder = await mkdtemp(join(tmpdir(), 'featuregraph-clients-'))
  const text = await readFile(join(repository, 'docs/clients.md'), 'utf8')
  docs = text.replaceAll('http://localhost:4000', gateway.url).replaceAll('localhost:4000', gateway.url)
})
afterAll(async () => {
  await gateway?.close()
  await Promise.all([database?.drop(), rm(folder, { recursive: true, force: true })])
})

/** The blocks of docs/clients.md that begin with the name of their file, by that. */
function documentedFiles(): ReadonlyMap<string, string> {
  const blocks = [...docs.matchAll(/```\w+\n(?:#|\/\/) (\S+\.\w+)\n([\s\S]*?)```/g)]
  return new Map(blocks.map(([, file = '', text = '']) => [file, text]))
}

describe('the TypeScript client', () => {
  let project: string
  const command = (name: string, ...args: readonly string[]) =>
    run(join(project, 'node_modules/.bin', name), args, {
      cwd: project,
      env: { ...process.env, SCHEMA: `${gateway.url}/graphql` },
    })
  // Where NODE_ENV is `test` it says nothing.
  const generate = (schema = `${gateway.url}/graphql`) =>
    run('npm', ['run', '--silent', 'generate'], {
      cwd: project,
      env: { ...process.env, NODE_ENV: '', SCHEMA: schema },
    })
  const compiled = (file: string) =>
    run(process.execPath, [`dist/${file}.js`], { cwd: project }).then(({ stdout, stderr }) => stdout + stderr)

  beforeAll(async () => {
    project = join(folder, 'client-typescript')
    const own = new Set(['node_modules', 'dist', 'gql'])
    await cp(join(repository, 'examples/client-typescript'), project, {
      recursive: true,
      filter: (path) => !own.has(path.split('/').at(-1) ?? ''),
    })
    await symlink(await clientPackages(), join(project, 'node_modules'))
    for (const [file, text] of documentedFiles())
      if (file.startsWith('src/')) await writeFile(join(project, file), text)
    const urql = documentedFiles().get('src/with-urql.ts') ?? ''
    await writeFile(
      join(project, 'src/with-urql-by-get.ts'),
      urql.replace('preferGetMethod: false,', '').replace('MonthOf', 'MonthByGet'),
    )
    await generate()
    await command('tsc')
  })

  it('is generated from the gateway, and has no scalar that could be anything', async () => {
    const types = await readFile(join(project, 'src/gql/graphql.ts'), 'utf8')
    expect(/customerId: number \| string;/.test(types)).toBe(true)
    expect(/asOf\?: string \| null/.test(types)).toBe(true)
    expect(/\bany\b/.test(types)).toBe(false)
  })

  it('compiles, and scores transactions over the gateway', async () => {
    const service = spawn(process.execPath, ['dist/score.js'], {
      cwd: project,
      env: { ...process.env, GATEWAY: `${gateway.url}/graphql`, PORT: '0' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      const [line] = await once(service.stdout, 'data')
      const [url] = /http:\S+/.exec(String(line)) ?? []
      const score = async (query: string) => (await fetch(`${url}?${query}`)).json()
      expect(await score('customer=1001&amount=250')).toEqual({
        probability: expect.closeTo(0.119, 3),
        reasons: [
          'more than any transaction of the last 30 days (99)',
          '1 of 2 transactions of the last hour failed',
        ],
        defaulted: [],
      })
      expect(await score('customer=5&amount=1')).toMatchObject({
        reasons: ['nothing is known of the last 30 days'],
        defaulted: expect.arrayContaining(['total_transactions_30d']),
      })
    } finally {
      service.kill()
      await once(service, 'exit')
    }
  })

  it('is taken by Apollo Client and by urql, as docs/clients.md has them', async () => {
    expect(await compiled('with-apollo-client')).toBe('31.75\n')
    expect(await compiled('with-urql')).toBe('6\n')
  })

  it('is shown what to set where urql asks by GET', async () => {
    expect(await compiled('with-urql-by-get')).toContain('In urql set preferGetMethod: false')
  })

  it('can no longer be generated, and then not compiled, once a feature that it uses is gone', async () => {
    const feature = 'maxTransactionAmount30d'
    const without = visit(parse(printSdl(buildSchema(gateway.gateway.registry))), {
      FieldDefinition: ({ name }) => (name.value === feature ? null : undefined),
    })
    const schema = join(project, 'schema.graphql')
    await writeFile(schema, print(without))
    const refused = await generate(schema).catch((error: { stdout: string; stderr: string }) => error)
    expect(refused.stdout + refused.stderr).toContain(
      `Cannot query field "${feature}" on type "CustomerTransactionFeatures"`,
    )
    const file = join(project, 'src/score-transaction.ts')
    const text = await readFile(file, 'utf8')
    await writeFile(file, text.replace(`    ${feature}\n`, ''))
    await generate(schema)
    const failed = await command('tsc').catch((error: { stdout: string }) => error)
    expect(failed.stdout).toMatch(
      new RegExp(`^src/score-transaction\\.ts.*Property '${feature}' does not exist`),
    )
  })
})

describe('docs/clients.md', () => {
  it('has a curl line that answers', async () => {
    const [, line = ''] = /## curl\n\n```sh\n([\s\S]*?)```/.exec(docs) ?? []
    const { stdout } = await run('sh', ['-c', line])
    expect(JSON.parse(stdout)).toMatchObject({
      data: { fraudDetectionV1: [{ vector: [1234.5, 12.5, 99, 6, 2, 31.75, 25.5], defaulted: [] }] },
    })
  })

  it.runIf(isLong)(
    'has Python clients that answer: gql, and what ariadne-codegen generates',
    async (context) => {
      const python = await pythonOrSkip(context)
      // Without their time limits, which a busy machine would meet.
      const patient = 'Client(http_client=__import__("httpx").Client(timeout=None), url='
      for (const [file, text] of documentedFiles())
        if (!file.startsWith('src/'))
          await writeFile(
            join(folder, file),
            text.replace('timeout=2', 'timeout=None').replace(/^(client = )Client\(url=/m, `$1${patient}`),
          )
      expect(await python(['with_gql.py'], folder)).toMatch(
        /'total_transactions_30d': 1234\.5.*'transaction_amount': 25\.5/,
      )
      await python(['-m', 'ariadne_codegen'], folder)
      expect(await python(['with_ariadne_codegen.py'], folder)).toMatch(/^1001 1234\.5 20\d\d-\d\d-\d\d /)
    },
  )
})

async function pythonOrSkip(context: TestContext): Promise<Python> {
  const python = await pythonWith('python-clients-1', ['ariadne-codegen==0.19.0', 'gql[httpx]==4.0.0'])
  if (python !== null) return python
  const reason = `no Python 3.10 or later with pip; run: ${installPython}`
  if (process.env['CI'] === 'true') throw new Error(reason)
  context.skip(reason)
}
