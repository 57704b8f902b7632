import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Running, startCommand } from '../../cli/start-command.ts'
import { newProject } from '../../server/start-test-gateway.ts'
import { isLong } from '../../services/long-run.ts'
import { createTestDatabase, type TestDatabase } from '../../services/test-database.ts'
import { waitUntil } from '../../services/wait-until.ts'
import { definitions, query, type SetAnswer } from './job-world.ts'

let folder: string
let database: TestDatabase
const running: Running[] = []

beforeAll(async () => {
  ;[folder, database] = await Promise.all([
    mkdtemp(join(tmpdir(), 'featuregraph-killed-')),
    createTestDatabase(),
  ])
  await mkdir(join(folder, 'schema'))
  await writeFile(join(folder, 'schema', 'bakery.mjs'), definitions)
})
afterAll(async () => {
  for (const { child } of running) child.kill('SIGTERM')
  await Promise.all(running.map(({ ended }) => ended))
  await Promise.all([rm(folder, { recursive: true, force: true }), database.drop()])
})

async function startGateway(
  settings: Readonly<Record<string, string>>,
): Promise<{ readonly url: string; readonly process: Running }> {
  const process = startCommand(['serve'], settings, folder)
  running.push(process)
  await waitUntil(
    () => process.output.stdout.includes('answers at'),
    () => process.output.stderr,
  )
  const [, url = ''] = /answers at (\S+)\/graphql/.exec(process.output.stdout) ?? []
  return { url, process }
}

// In short form: `training-sets.test.ts` goes on with finished parts of an attempt that ended.
it.runIf(isLong)(
  'a gateway that is killed in the middle of a job leaves it to another, which goes on with its parts: the files are those of a job that nothing disturbed',
  async () => {
    const settings = {
      ...{ PROJECT: newProject(), SCHEMA: join(folder, 'schema'), OFFLINE_URL: database.url, PORT: '0' },
      ...{ FILES: join(folder, 'files'), TRAINING_SET_PART_ROWS: '40', DEMO: 'false' },
    }
    const first = await startGateway(settings)
    const path = join(folder, 'labels.parquet')
    await query(
      `copy (select 'shop-' || i % 50 as shop_id, now()::timestamptz - to_minutes(i) as event_timestamp, i / 2 as rain, i as label
       from range(400) as t(i)) to '${path}'`,
    )
    const post = async (url: string, type: string, body: Buffer | string) => {
      const answer = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': type },
        body: new Uint8Array(Buffer.from(body)),
      })
      return await answer.json()
    }
    const { id: spineId } = await post(
      `${first.url}/spines`,
      'application/vnd.apache.parquet',
      await readFile(path),
    )
    const ask = async (url: string, text: string) =>
      (await post(`${url}/graphql`, 'application/json', JSON.stringify({ query: text }))).data
    const create = async (url: string): Promise<string> => {
      const input = `{ spineId: "${spineId}", service: "demand_v1", vector: true }`
      return (await ask(url, `mutation { createTrainingSet(input: ${input}) { id } }`)).createTrainingSet.id
    }
    const find = async (url: string, id: string): Promise<SetAnswer> =>
      (await ask(url, `{ trainingSet(id: "${id}") { state error progress parts { url rows sha256 } } }`))
        .trainingSet

    const id = await create(first.url)
    let before: SetAnswer | null = null
    await waitUntil(async () => {
      before = await find(first.url, id)
      return before.parts.length >= 2
    }, 'parts are finished')
    first.process.child.kill('SIGKILL')
    await first.process.ended
    running.length = 0

    const second = await startGateway(settings)
    const ended = async (of: string): Promise<SetAnswer> => {
      let found: SetAnswer | null = null
      await waitUntil(
        async () => {
          found = await find(second.url, of)
          return found.state !== 'QUEUED' && found.state !== 'RUNNING'
        },
        () => `the job has ended: ${JSON.stringify(found)}`,
      )
      return found ?? (await find(second.url, of))
    }
    const resumed = await ended(id)
    expect(resumed).toMatchObject({ state: 'SUCCEEDED', progress: 1 })
    expect(resumed.parts).toHaveLength(10)
    const known: SetAnswer['parts'] = (before as SetAnswer | null)?.parts ?? []
    expect(known.length).toBeLessThan(10)
    expect(resumed.parts.slice(0, known.length)).toEqual(known)

    const undisturbed = await ended(await create(second.url))
    const digests = ({ parts }: SetAnswer) => parts.map(({ rows, sha256 }) => [rows, sha256])
    expect(digests(resumed)).toEqual(digests(undisturbed))
    const part = Buffer.from(await (await fetch(`${second.url}${resumed.parts[9]?.url}`)).arrayBuffer())
    expect(createHash('sha256').update(part).digest('hex')).toBe(resumed.parts[9]?.sha256)
  },
)
