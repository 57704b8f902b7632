import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newProject } from '../server/start-test-gateway.ts'
import { applyFolder } from '../services/apply-folder.ts'
import { isLong } from '../services/long-run.ts'
import { type RedisServer, startRedis } from '../services/redis.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { waitUntil } from '../services/wait-until.ts'
import { repository, startCommand } from './start-command.ts'

let home: string
let database: TestDatabase
let cluster: RedisServer
const project = newProject()
const servers: RedisServer[] = []

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'featuregraph-unsuitable-'))
  ;[database, cluster] = await Promise.all([createTestDatabase(), server('--cluster-enabled', 'yes')])
  await applyFolder({ OFFLINE_URL: database.url, PROJECT: project, SCHEMA: join(repository, 'schema') })
})
afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()))
  await database?.drop()
  await rm(home, { recursive: true, force: true })
})

async function server(...args: readonly string[]): Promise<RedisServer> {
  const started = await startRedis({ args })
  servers.push(started)
  return started
}

const start = (args: readonly string[], onlineUrl: string) =>
  startCommand(
    args,
    { OFFLINE_URL: database.url, ONLINE_URL: onlineUrl, PROJECT: project, LOG_LEVEL: 'warn', PORT: '0' },
    home,
  )

describe.concurrent('commands on a Redis that cannot be the online store', () => {
  it('end with what is wrong and what to do', async () => {
    const all = [['serve'], ['materialize'], ['worker'], ['stream'], ['delete-entity', 'customer', '1']]
    const outcomes = await Promise.all(
      (isLong ? all : all.slice(1, 2)).map((args) => start(args, cluster.url).ended),
    )
    for (const { code, stderr } of outcomes) {
      expect(code).toBe(1)
      expect(stderr).toMatch(/^featuregraph: .*node of a Redis Cluster.*set FEATUREGRAPH_ONLINE_URL/m)
      expect(stderr).not.toMatch(/\n\s+at /)
    }
  })

  it('status shows what the offline store has, and says why there is nothing of the online store', async () => {
    const { code, stdout, stderr } = await start(['status'], cluster.url).ended
    expect(code).toBe(0)
    expect(stdout).toMatch(/^VIEW /)
    expect(stderr).toMatch(/node of a Redis Cluster/)
  })

  // In the suite: test/server/unsuitable-redis has a gateway that waits for the promotion.
  it.runIf(isLong)(
    'materialize on a replica fails with the remedy; the worker waits for it to be promoted',
    async () => {
      const primary = await server()
      const { url } = await server('--replicaof', `127.0.0.1 ${primary.port}`)
      const { code, stderr } = await start(['materialize'], url).ended
      expect(code).toBe(1)
      expect(stderr).toMatch(/it is a replica, which takes no writes; set FEATUREGRAPH_ONLINE_URL/)
      const worker = start(['worker'], url)
      try {
        await waitUntil(() => /it is a replica/.test(worker.output.stderr), 'the worker says what is wrong')
        expect(worker.child.exitCode).toBeNull()
      } finally {
        worker.child.kill('SIGTERM')
      }
      expect((await worker.ended).code).toBe(0)
    },
  )

  it('go on where they do not use it', async () => {
    const { code, stderr } = await start(['runs'], cluster.url).ended
    expect([code, /^featuregraph:/m.test(stderr)]).toEqual([0, false])
  })
})
