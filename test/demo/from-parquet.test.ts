import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../../src/embedded/free-port.ts'

const repository = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'featuregraph-readme-'))
  // The page's commands run in the repository, whose own tsconfig says what 'featuregraph' is.
  const paths = { featuregraph: [join(repository, 'src/definitions/featuregraph.ts')] }
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: { paths } }))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** The blocks of the page's first part, by their language. */
async function pageBlocks(): Promise<Readonly<Record<string, string>>> {
  const page = await readFile(join(repository, 'docs/batch.md'), 'utf8')
  const [own = ''] = page.split(/^## /m)
  return Object.fromEntries(
    [...own.matchAll(/```(\w+)\n([\s\S]*?)```/g)].map(([, language = '', text = '']) => [language, text]),
  )
}

/** One ride an hour of October for rider 7 (every third in another city), in the local time of Berlin; one is below 0. */
async function writeRides(file: string): Promise<void> {
  const duckDb = await DuckDBInstance.create(':memory:')
  const connection = await duckDb.connect()
  await connection.run(
    `copy (select timestamp '2026-10-01 00:30:00' + i * interval 1 hour as started_at, 7::bigint as rider,
       case when i = 100 then -1 else i end::double as fare, 'city ' || i % 3 as city, 'not asked' as note
     from range(600) t(i)) to '${file}' (format parquet)`,
  )
  connection.disconnectSync()
  duckDb.closeSync()
}

describe('the way from a Parquet file to features, in docs/batch.md', () => {
  it('works as it is written', async () => {
    const { ts = '', sh = '', text: query = '' } = await pageBlocks()
    const [, file = ''] = /^\/\/ (\S+)/.exec(ts) ?? []
    await mkdir(join(folder, 'rides'))
    await mkdir(join(folder, 'data'))
    await writeFile(join(folder, file), ts)
    await writeRides(join(folder, 'data/rides-2026-10.parquet'))

    const command = `${process.execPath} ${join(repository, 'src/featuregraph.js')}`
    const port = await freePort()
    const environment = { PATH: process.env['PATH'], HOME: folder, FEATUREGRAPH_PORT: String(port) }
    const lines = sh.trim().replaceAll('npx featuregraph', command).split('\n')
    const [settings = '', ...commands] = lines
    const serve = commands.pop() ?? ''
    const printed: string[] = []
    for (const line of commands) {
      const { stdout } = await run('sh', ['-c', `${settings} && ${line}`], { cwd: folder, env: environment })
      printed.push(stdout)
    }
    const [, imported, computed, materialized] = printed
    expect(imported).toContain('600 rows read, 599 stored, 1 quarantined')
    expect(computed).toMatch(
      /^rider_habits: 31 snapshots from 2026-10-02.* to 2026-11-01.*, 31 rows written\n$/,
    )
    expect(materialized).toContain('rider_habits: 1 rows read, 1 written')

    const gateway = spawn('sh', ['-c', `${settings} && exec ${serve}`], {
      cwd: folder,
      env: environment,
      stdio: 'ignore',
    })
    try {
      const answer = await ask(`http://127.0.0.1:${port}/graphql`, query)
      // Local half past midnight is 22:30 the day before in UTC; 7 days are 168 rides, of which one was quarantined.
      const habits = (rides7d: number, average: number) => ({
        riderHabits: { rides7d, averageFare30d: expect.closeTo(average, 9), cities30d: 3 },
      })
      expect(answer).toEqual({
        data: {
          now: expect.objectContaining({ riderHabits: expect.anything() }),
          october: [habits(168, oct(15)), habits(168, oct(20))],
        },
      })
    } finally {
      gateway.kill('SIGTERM')
      await once(gateway, 'exit')
    }
  })
})

/** The mean fare of the rides before a day of October (UTC), but for the one below 0. */
function oct(day: number): number {
  // The first ride was at 22:30 on 30 September.
  const rides = (day - 1) * 24 + 2
  const fares = Array.from({ length: rides }, (_, index) => index).filter((fare) => fare !== 100)
  return fares.reduce((sum, fare) => sum + fare, 0) / fares.length
}

async function ask(url: string, query: string): Promise<unknown> {
  for (let tries = 0; ; tries += 1) {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query }),
    }).catch((error: unknown) => {
      if (tries > 300) throw error
    })
    if (answer) return await answer.json()
    await sleep(100)
  }
}
