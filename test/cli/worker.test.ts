import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { newProject } from '../server/start-test-gateway.ts'
import { applyFolder } from '../services/apply-folder.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { waitUntil } from '../services/wait-until.ts'
import { type Running, startCommand } from './start-command.ts'

let folder: string
let schema: string
let database: TestDatabase
let locked: TestDatabase
const processes: Running[] = []

beforeAll(async () => {
  ;[folder, schema, database, locked] = await Promise.all([
    mkdtemp(join(tmpdir(), 'featuregraph-worker-')),
    mkdtemp(join(tmpdir(), 'featuregraph-schema-')),
    createTestDatabase(),
    createTestDatabase(),
  ])
  await writeFile(
    join(schema, 'a.mjs'),
    `export const customer = { kind: 'entity', name: 'customer', joinKeys: { customer_id: 'int64' } }
     export const sales = { kind: 'event-source', name: 'sales', eventTimestamp: 'at', fields: { customer_id: 'int64' } }
     export const daily = { kind: 'windowed-view', name: 'daily', entity: 'customer', source: 'sales',
       compute: { mode: 'batch', every: '1d' }, features: { n: { aggregate: 'count', window: '7d' } } }
     export const picky = { ...daily, name: 'picky', online: false, expectRows: { min: 1, action: 'reject' } }`,
  )
})
afterAll(async () => {
  for (const { child } of processes) child.kill('SIGKILL')
  await Promise.all(processes.map(({ ended }) => ended))
  await Promise.all([folder, schema].map((path) => rm(path, { recursive: true, force: true })))
  await Promise.all([database?.drop(), locked?.drop()])
})

interface Own {
  readonly url: string
  readonly project: string
}

async function applied(url: string): Promise<Own> {
  const project = newProject()
  await applyFolder({ OFFLINE_URL: url, PROJECT: project, SCHEMA: schema })
  return { url, project }
}

function start(args: readonly string[], own: Own): Running {
  const settings = {
    OFFLINE_URL: own.url,
    ONLINE_URL: inject('redisUrl'),
    PROJECT: own.project,
    SCHEMA: schema,
  }
  const running = startCommand(args, settings, folder)
  processes.push(running)
  return running
}

async function logs({ output, ended }: Running, pattern: RegExp): Promise<void> {
  let hasEnded = false
  void ended.then(() => {
    hasEnded = true
  })
  await waitUntil(
    () => {
      if (pattern.test(output.stderr)) return true
      if (hasEnded) throw new Error(`it ended without ${pattern}:\n${output.stderr}`)
      return false
    },
    () => `${pattern} in\n${output.stderr}`,
  )
}

describe.concurrent('worker', () => {
  it('runs in one process of a project; when that is killed another takes over', async () => {
    const own = await applied(database.url)
    const workers = [start(['worker'], own), start(['worker'], own)] as const
    const roles = await Promise.all(
      workers.map(async (worker) => {
        await logs(worker, /the snapshot of|standing by/)
        return /standing by/.test(worker.output.stderr) ? 'STANDS_BY' : 'LEADS'
      }),
    )
    expect([...roles].sort()).toEqual(['LEADS', 'STANDS_BY'])
    const [leader, other] = roles[0] === 'LEADS' ? workers : ([workers[1], workers[0]] as const)
    expect(leader.output.stderr).toContain(
      `the worker of project \\"${own.project}\\" runs daily: snapshots every 1d, materialized after each and every 1h; picky: snapshots every 1d; stale snapshots of the last 3d are recomputed`,
    )
    await logs(leader, /picky: computing snapshots failed, next try at/)
    leader.child.kill('SIGKILL')
    await logs(other, /this worker runs from now on/)
    other.child.kill('SIGTERM')
    const { code, stdout } = await other.ended
    expect([code, stdout]).toEqual([0, ''])
    const { stdout: listed } = await start(['runs'], own).ended
    const runs = listed.split('\n').map((line) => line.split(/ +/).slice(1, 4).join(' '))
    for (const run of ['BATCH daily SUCCEEDED', 'MATERIALIZE daily SUCCEEDED', 'BATCH picky FAILED'])
      expect(runs).toContain(run)
  })

  it('finishes the run under way on SIGTERM, and begins no other', async () => {
    const own = await applied(locked.url)
    const client = new pg.Client({ connectionString: locked.url })
    await client.connect()
    try {
      // Snapshots can be computed, and not recorded.
      await client.query('begin; lock table featuregraph.snapshots in exclusive mode')
      const worker = start(['worker', '--recompute', '12h'], own)
      await logs(worker, /of the last 12h/)
      const states = async () => {
        const found = await client.query<{ kind: string; view: string; state: string }>(
          'select kind, view, state from featuregraph.runs',
        )
        return found.rows.map(({ kind, view, state }) => `${kind} ${view} ${state}`)
      }
      // It waits for the lock, and cannot end before that is given back.
      await waitUntil(async () => (await states()).length > 0, 'a run is recorded')
      worker.child.kill('SIGTERM')
      await logs(worker, /SIGTERM: finishing the run under way/)
      expect([worker.child.exitCode, await states()]).toEqual([null, ['BATCH daily RUNNING']])
      await client.query('commit')
      expect((await worker.ended).code).toBe(0)
      expect(await states()).toEqual(['BATCH daily SUCCEEDED'])
    } finally {
      await client.end()
    }
  })

  it('--once ends with exit code 1 when something failed, and refuses what is no duration', async () => {
    const own = await applied(database.url)
    const [once, wrong] = await Promise.all([
      start(['worker', '--once'], own).ended,
      start(['worker', '--recompute', 'three days'], own).ended,
    ])
    expect([once.code, once.stdout]).toEqual([1, ''])
    expect(once.stderr).toContain('daily: the snapshot of ')
    expect(once.stderr).toMatch(
      /picky: computing snapshots failed, next try at .*Row count 0 below minimum 1/,
    )
    expect([wrong.code, wrong.stderr]).toEqual([
      1,
      'featuregraph: --recompute expects a duration, as 30m, 1h or 1d; got "three days"\n',
    ])
  })
})
