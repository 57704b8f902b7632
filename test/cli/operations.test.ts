import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { announceProcess } from '../../src/gateway/announce-process.ts'
import { newProject, startTestGateway, type TestGateway } from '../server/start-test-gateway.ts'
import { applyFolder } from '../services/apply-folder.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { waitUntil } from '../services/wait-until.ts'

const definitions = (most: number): string => `
  export const customer = { kind: 'entity', name: 'customer', joinKeys: { customer_id: 'int64' } }
  export const orders = { kind: 'event-source', name: 'orders', eventTimestamp: 'at',
    fields: { customer_id: 'int64', amount: { type: 'float64', expect: { max: ${most}, action: 'quarantine' } } } }
  const over = (mode) => ({ kind: 'windowed-view', entity: 'customer', source: 'orders', compute: mode,
    features: { n: { aggregate: 'count', window: '1h' } } })
  export const recent = { ...over({ mode: 'stream' }), name: 'recent' }
  export const daily = { ...over({ mode: 'batch', every: '1d' }), name: 'daily', online: false }`

let folder: string
let database: TestDatabase
let gateway: TestGateway
let settings: Record<string, string>
let runs = 0

/** The command line in this process: its arguments, and what it writes to standard output. */
async function run(...args: readonly string[]): Promise<string> {
  const [argv, environment, write] = [process.argv, { ...process.env }, process.stdout.write]
  const written: string[] = []
  process.argv = ['node', 'featuregraph', ...args]
  for (const [name, value] of Object.entries(settings)) process.env[`FEATUREGRAPH_${name}`] = value
  process.stdout.write = ((text: string) => {
    written.push(text)
    return true
  }) as typeof process.stdout.write
  try {
    runs += 1
    await import(/* @vite-ignore */ `${new URL('../../src/cli.ts', import.meta.url).pathname}?run=${runs}`)
  } finally {
    process.argv = argv
    process.env = environment
    process.stdout.write = write
  }
  return written.join('')
}
const json = async (...args: readonly string[]) => JSON.parse(await run(...args, '--json'))

beforeAll(async () => {
  ;[folder, database] = await Promise.all([mkdtemp(join(tmpdir(), 'featuregraph-op-')), createTestDatabase()])
  await writeFile(join(folder, 'world.mjs'), definitions(100))
  settings = {
    ...{ OFFLINE_URL: database.url, ONLINE_URL: inject('redisUrl'), PROJECT: newProject() },
    ...{ SCHEMA: folder, LOG_LEVEL: 'warn', ONLINE_TIMEOUT_MS: '60000', OFFLINE_TIMEOUT_MS: '60000' },
  }
  gateway = await startTestGateway({
    ...{ offlineUrl: database.url, onlineUrl: inject('redisUrl'), makeTables: false },
    settings: { ...settings, LOG_LEVEL: 'info' },
  })
})
afterAll(async () => {
  await gateway?.close()
  await Promise.all([folder && rm(folder, { recursive: true, force: true }), database?.drop()])
})

const stream = 'no process applies events to recent: run `featuregraph stream`'
const worker = 'no process computes the snapshots of daily: run `featuregraph worker`'

describe('a gateway that runs no background work', () => {
  it('logs at its start what it runs, and what must run elsewhere with the commands', () => {
    const log = gateway.logLines.join('')
    expect(log).toContain('this process answers requests and runs no background work')
    expect(log).toContain(
      '`featuregraph worker` must run elsewhere: it computes the snapshots of daily; no process does so now',
    )
    expect(log).toContain(
      '`featuregraph stream` must run elsewhere: it applies events to recent; no process does so now',
    )
  })

  it('is listed by the command, in GraphQL for admins, and at /readyz without its host, with what nobody runs', async () => {
    const listed = await json('processes')
    expect(listed.processes).toMatchObject([
      { kind: 'gateway', runs: [], leads: [], pid: process.pid, version: expect.stringMatching(/^\d+\./) },
    ])
    expect(listed.notRunning.map((one: { message: string }) => one.message)).toEqual([worker, stream])
    expect(await run('processes')).toMatch(/^KIND +HOST +PID [\s\S]*gateway [\s\S]*run `featuregraph stream`/)
    const { definitions: digest, id } = listed.processes[0]
    const { data } = await gateway.ask('{ processes { id kind version definitions lastSeenAt } }')
    expect(data.processes).toMatchObject([{ id, kind: 'gateway', definitions: digest }])
    const readyz = await (await fetch(`${gateway.url}/readyz`)).json()
    expect(readyz).toMatchObject({
      status: 'ready',
      processes: [{ kind: 'gateway', definitions: digest }],
      notRunning: [
        { work: 'worker', command: 'featuregraph worker', views: ['daily'], message: worker },
        { work: 'stream', command: 'featuregraph stream', views: ['recent'], message: stream },
      ],
    })
    expect(JSON.stringify(readyz)).not.toContain('"pid"')
  })

  it('lists the versions of the registry, whose newest last changed what it serves', async () => {
    const query =
      '{ registryVersions { nodes { version } } entities { registryVersion } featureViews { registryVersion } }'
    const { data } = await gateway.ask(query)
    // 0: its definitions were never applied.
    const newest = data.registryVersions.nodes[0]?.version ?? 0
    expect([...data.entities, ...data.featureViews].map((one) => one.registryVersion)).toEqual([
      ...[newest, newest, newest],
    ])
  })

  it('shows in status which views stand still, and how far streaming views are', async () => {
    const { views, notRunning } = await json('status')
    expect(views).toMatchObject([
      { view: 'daily', kind: 'BATCH', online: false, state: null, needs: 'featuregraph worker' },
      { view: 'recent', kind: 'STREAM', online: true, needs: 'featuregraph stream' },
    ])
    expect(Object.keys(views[1])).toEqual(expect.arrayContaining(['eventsBehind', 'caughtUpUntil', 'state']))
    expect(notRunning).toHaveLength(2)
    const table = await run('status')
    expect(table).toMatch(/STREAMING VIEW +EVENTS BEHIND +CAUGHT UP UNTIL +ONLINE ROWS\nrecent /)
    expect(table).toContain(`\n${stream}\n`)
    const { views: tiles, partitions } = await json('stream', 'status')
    expect([tiles.map((one: { view: string }) => one.view), partitions]).toEqual([['recent'], []])
    expect(await json('runs')).toEqual({ runs: [] })
  })

  it('sees a worker come and go, and a second one says for which it waits', async () => {
    const { stores, served: version } = gateway.gateway
    const served = () => version
    const lines: string[] = []
    const log = { info: (line: string) => lines.push(line), warn: () => {} } as never
    const one = (processId: string) =>
      announceProcess({ ...stores, processId }, { kind: 'worker', runs: ['worker'], served, log })
    const first = await one('00000000-0000-0000-0000-000000000001')
    expect(await first.stores.workerLock.hold()).toBe(true)
    const second = await one('00000000-0000-0000-0000-000000000002')
    const waiting = { ...stores.workerLock, hold: async () => false }
    const other = await announceProcess(
      { ...stores, workerLock: waiting, processId: '00000000-0000-0000-0000-000000000003' },
      { kind: 'worker', runs: ['worker'], served, log },
    )
    expect([await other.stores.workerLock.hold(), await other.stores.workerLock.hold()]).toEqual([
      false,
      false,
    ])
    expect(
      lines.filter((line) =>
        /^waiting for the worker with pid \d+ on \S+, which is the project's worker$/.test(line),
      ),
    ).toHaveLength(1)
    const listed = await json('processes')
    expect(listed.processes.map(({ leads }: { leads: readonly string[] }) => leads)).toEqual([
      [],
      ['worker'],
      [],
      [],
    ])
    expect(listed.notRunning).toMatchObject([{ work: 'stream' }])
    await waitUntil(
      () => gateway.logLines.join('').includes('`featuregraph worker` runs now'),
      'the gateway sees it',
    )
    await first.stores.workerLock.release()
    await Promise.all([first, second, other].map(({ leave }) => leave()))
    expect((await json('processes')).processes).toHaveLength(1)
  })
})

it('what is quarantined is listed, shown, exported and taken again by one command', async () => {
  const event = (amount: number) => JSON.stringify({ at: new Date().toISOString(), customer_id: 1, amount })
  const posted = await fetch(`${gateway.url}/events/orders`, {
    ...{ method: 'POST', headers: { 'content-type': 'application/x-ndjson' } },
    body: `${event(500)}\n${event(700)}\n${event(5)}\n`,
  })
  expect((await posted.text()).trim().split('\n').at(-1)).toBe('{"accepted":1,"rejected":2}')
  expect(await json('quarantine', 'list')).toEqual({
    quarantine: [
      {
        ...{ name: 'orders', cameBy: 'push', rows: 2, reason: 'amount: Value above maximum 100' },
        newestAt: expect.stringMatching(/Z$/),
      },
    ],
  })
  expect(await run('quarantine', 'list', 'orders')).toMatch(
    /^SOURCE OR VIEW +CAME BY +ROWS [\s\S]*orders +push +2 /,
  )
  expect(await run('quarantine', 'show', '--came-by', 'push')).toMatch(
    /amount +700 +Value 700 above maximum 100\n/,
  )
  const file = join(folder, 'orders.ndjson')
  await run('quarantine', 'export', 'orders', '--to', file)
  const lines = (await readFile(file, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines).toMatchObject([
    {
      name: 'orders',
      cameBy: 'push',
      row: { customer_id: 1, amount: 500 },
      problems: [{ column: 'amount', value: 500 }],
    },
    { row: { amount: 700 }, reason: 'amount: Value 700 above maximum 100' },
  ])
  await writeFile(join(folder, 'world.mjs'), definitions(600))
  const mended = {
    OFFLINE_URL: database.url,
    PROJECT: settings['PROJECT'] ?? '',
    SCHEMA: await movedTo(definitions(600)),
  }
  await applyFolder(mended)
  settings = { ...settings, SCHEMA: mended.SCHEMA }
  expect(await run('quarantine', 'retry', 'orders')).toBe(
    'orders: 1 accepted, 0 dropped, 1 stay\n  1: amount: Value 700 above maximum 600\n',
  )
  expect((await json('quarantine', 'list')).quarantine).toMatchObject([{ rows: 1 }])
})

/** Definitions in another folder: modules are loaded once. */
async function movedTo(text: string): Promise<string> {
  const other = await mkdtemp(join(folder, 'mended-'))
  await writeFile(join(other, 'world.mjs'), text)
  return other
}

it('every command of docs/operations.md runs as it stands there', async () => {
  const text = await readFile(new URL('../../docs/operations.md', import.meta.url), 'utf8')
  const commands = [...text.matchAll(/^npx featuregraph (.+)$/gm)].map(([, command = '']) => command)
  expect(commands).toHaveLength(16)
  for (const command of commands) {
    const words = command
      .split(' ')
      .map((word) => (word === 'orders.ndjson' ? join(folder, 'again.ndjson') : word))
    // These run until they are ended.
    const args = command === 'worker' || command === 'stream' ? [...words, '--once'] : words
    const output = await run(...args)
    expect([command, process.exitCode ?? 0]).toEqual([command, 0])
    if (args.includes('--json')) expect(JSON.parse(output)).toBeTypeOf('object')
  }
})
