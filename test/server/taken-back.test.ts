import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { startCommand } from '../cli/start-command.ts'
import { applyFolder } from '../services/apply-folder.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { testPool } from '../services/test-pool.ts'
import { newProject, startTestGateway } from './start-test-gateway.ts'

let folder: string
let database: TestDatabase
beforeAll(async () => {
  ;[folder, database] = await Promise.all([
    mkdtemp(join(tmpdir(), 'featuregraph-taken-back-')),
    createTestDatabase(),
  ])
})
afterAll(async () => {
  await Promise.all([rm(folder, { recursive: true, force: true }), database?.drop()])
})

/** A folder of definitions where the view `stats` has these features. */
async function definitions(...features: readonly string[]): Promise<string> {
  const schema = join(folder, features.join('-'))
  await mkdir(schema, { recursive: true })
  await writeFile(
    join(schema, 'world.mjs'),
    `export const customer = { kind: 'entity', name: 'customer', joinKeys: { customer_id: 'int64' } }
     export const payments = { kind: 'event-source', name: 'payments', eventTimestamp: 'at', fields: { customer_id: 'int64' } }
     export const daily = { kind: 'windowed-view', name: 'daily', entity: 'customer', source: 'payments', compute: { mode: 'batch', every: '1d' },
       features: { n: { aggregate: 'count', window: '30d' } } }
     export const stats = { kind: 'feature-view', name: 'stats', entity: 'customer', features: { ${features.map((name) => `${name}: 'int64'`).join(', ')} } }`,
  )
  return schema
}

describe('a definition', () => {
  it('is put forward, taken back and put forward again: the gateway starts each time and answers what was written', async () => {
    const [small, grown] = [await definitions('n'), await definitions('n', 'm')]
    const project = newProject()
    const withGateway = async (
      SCHEMA: string,
      work: (gateway: Awaited<ReturnType<typeof startTestGateway>>) => Promise<void>,
    ) => {
      await applyFolder({ OFFLINE_URL: database.url, PROJECT: project, SCHEMA })
      const gateway = await startTestGateway({
        offlineUrl: database.url,
        onlineUrl: inject('redisUrl'),
        settings: { PROJECT: project, SCHEMA },
      })
      await work(gateway).finally(gateway.close)
    }
    const query = (features: string) =>
      `{ customer(customerId: 1, asOf: "2026-11-20T12:00:00Z") { stats { ${features} } } }`
    const at = Date.UTC(2026, 10, 1) * 1_000
    await withGateway(small, async () => {})
    await withGateway(grown, async ({ write }) => {
      await write('stats', [{ key: { customer_id: 1 }, values: { n: 1, m: 2 }, at }])
    })
    await withGateway(small, async ({ ask, logLines }) => {
      const lines = logLines.filter((line) => line.includes('columns without a definition'))
      expect(lines.map((line) => JSON.parse(line).msg)).toEqual([
        `columns without a definition are ignored: "features_${project}"."stats": m (bigint), not in feature view "stats"`,
      ])
      expect((await ask(query('n'))).data).toEqual({ customer: { stats: { n: 1 } } })
    })
    await withGateway(grown, async ({ ask, logLines }) => {
      expect(logLines.filter((line) => line.includes('columns without a definition'))).toEqual([])
      expect((await ask(query('n m'))).data).toEqual({ customer: { stats: { n: 1, m: 2 } } })
    })
  })

  it('changes no table by a command that reads or writes, only by apply', async () => {
    const own = { OFFLINE_URL: database.url, ONLINE_URL: inject('redisUrl'), PROJECT: newProject() }
    await applyFolder({ ...own, SCHEMA: await definitions('n') })
    const settings = { ...own, SCHEMA: await definitions('n', 'm'), LOG_LEVEL: 'warn' }
    for (const command of [['status'], ['materialize']]) {
      const { code, stderr } = await startCommand(command, settings, folder).ended
      expect(code).toBe(0)
      expect(stderr).toContain(`1 change of the definitions in ${settings.SCHEMA} is not applied; `)
    }
    const pool = testPool(database.url, 1)
    const { rows } = await pool.query(
      `select column_name from information_schema.columns where table_schema = $1 and table_name = 'stats' and column_name = 'm'`,
      [`features_${own.PROJECT}`],
    )
    await pool.end()
    expect(rows).toEqual([])
  })
})
