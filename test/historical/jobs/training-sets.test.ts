import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readConfig } from '../../../src/config/read-config.ts'
import { StoreFailed } from '../../../src/errors.ts'
import { jobSources, makeTrainingJob } from '../../../src/gateway/training-job.ts'
import type { JobSources } from '../../../src/historical/jobs/job-sources.ts'
import { runJob } from '../../../src/historical/jobs/run-job.ts'
import { sweepFiles } from '../../../src/historical/jobs/sweep-files.ts'
import type { ClaimedJob } from '../../../src/stores/training-job-queue.ts'
import { applyFolder } from '../../services/apply-folder.ts'
import { execute } from '../../services/postgres.ts'
import { waitUntil } from '../../services/wait-until.ts'
import { jobProcess } from './job-process.ts'
import {
  definitions,
  type JobWorld,
  now,
  query,
  type SetAnswer,
  spineCsv,
  startJobWorld,
} from './job-world.ts'

const day = 86_400_000_000
const quiet = pino({ level: 'silent' })
let world: JobWorld
let parquet: Buffer
/** Who makes the jobs that the gateway claims: the command in its own process, this process, or nobody. */
let makes: 'PROCESS' | 'HERE' | 'NOBODY' = 'HERE'
const claimed: ClaimedJob[] = []

beforeAll(async () => {
  world = await startJobWorld({
    apart: (environment) => async (job, signal) => {
      claimed.push(job)
      if (makes === 'PROCESS')
        await jobProcess({ ...environment, FEATUREGRAPH_TRAINING_SET_PART_ROWS: '3' })(job, signal)
      if (makes === 'HERE') await makeTrainingJob(readConfig(environment), job, { signal, log: quiet })
    },
  })
  const csv = join(world.folder, 'labels.csv')
  await writeFile(csv, spineCsv())
  const path = join(world.folder, 'labels.parquet')
  await query(`copy (select * from read_csv('${csv}')) to '${path}'`)
  parquet = await readFile(path)
})
afterAll(() => world?.close())

async function createFrom(body: Buffer | string, input: object = {}, queryString = ''): Promise<string> {
  const { body: spine } = await world.upload(body, { query: queryString })
  const { data, errors } = await world.create({ spineId: spine.id, service: 'demand_v1', ...input })
  expect(errors).toBeUndefined()
  return data.createTrainingSet.id
}

async function download(set: SetAnswer): Promise<readonly string[]> {
  const files: string[] = []
  for (const { url, sha256, bytes } of set.parts) {
    const answer = await world.get(url)
    expect(answer.status).toBe(200)
    const body = Buffer.from(await answer.arrayBuffer())
    expect([body.length, createHash('sha256').update(body).digest('hex')]).toEqual([bytes, sha256])
    files.push(join(world.folder, url.replaceAll('/', '_')))
    await writeFile(files.at(-1) ?? '', body)
  }
  return files
}

const setFolder = (id: string): string => join(world.files, world.project, 'training-sets', id)
const spinesFolder = (): string => join(world.files, world.project, 'spines')

/** What an attempt of this process does, with some of what it reads and writes replaced. */
async function attempt(
  job: ClaimedJob,
  replaced: (sources: JobSources) => Partial<JobSources>,
  partRows = 3,
): Promise<void> {
  const sources = await jobSources(readConfig(world.environment), world.gateway.gateway.stores.system, quiet)
  const { signal } = new AbortController()
  await runJob({ ...sources, ...replaced(sources) }, job, {
    ...{ partRows, signal, pause: async () => {}, log: { warn: () => {} } },
  })
}

/** A job that the gateway has claimed and does nothing for. */
async function claimedJob(input: object = {}, body: Buffer | string = parquet): Promise<ClaimedJob> {
  makes = 'NOBODY'
  const id = await createFrom(body, input)
  await waitUntil(() => claimed.some((job) => job.id === id), 'the job is claimed')
  makes = 'HERE'
  const found = claimed.find((job) => job.id === id)
  if (!found) throw new Error('no such job')
  return found
}

describe('a training set over the network', () => {
  it('goes from an uploaded file over a job in a process of its own to parts with their digests, and a card of all', async () => {
    makes = 'PROCESS'
    const uploaded = await world.upload(parquet)
    const columns = ['shop_id', 'event_timestamp', 'rain', 'label']
    expect(uploaded).toMatchObject({ status: 201, body: { rows: 8, columns } })
    expect(uploaded.body.sha256).toBe(createHash('sha256').update(parquet).digest('hex'))
    const input = { spineId: uploaded.body.id, service: 'demand_v1', vector: true, statuses: true }
    const created = await world.create(input)
    expect(created.errors).toBeUndefined()
    const waiting = { state: 'QUEUED', progress: 0, rows: 8, parts: [], cardUrl: null }
    expect(created.data.createTrainingSet).toMatchObject(waiting)
    const set = await world.ended(created.data.createTrainingSet.id)
    makes = 'HERE'
    expect(set).toMatchObject({ state: 'SUCCEEDED', progress: 1, error: null, errorCode: null })
    expect(set.parts.map(({ url, rows }) => [url.split('/').at(-1), rows])).toEqual([
      ['part-00000.parquet', 3],
      ['part-00001.parquet', 3],
      ['part-00002.parquet', 2],
    ])
    const files = await download(set)
    const rows = await query(`select * from read_parquet([${files.map((file) => `'${file}'`).join(', ')}])`)
    expect(rows.map((row) => [row['shop_id'], row['seats'], row['label'], row['seats__status']])).toEqual([
      ['a', '7', '1', 'PRESENT'],
      ['a', '12', '0', 'PRESENT'],
      ['nobody', null, null, 'NOT_FOUND'],
      ['b', null, '1', 'OUTSIDE_TTL'],
      [null, null, '1', 'NOT_FOUND'],
      ['a', null, '0', 'NOT_FOUND'],
      ['a', null, '0', 'NOT_FOUND'],
      ['a', '7', '1', 'PRESENT'],
    ])
    const card = await (await world.get(set.cardUrl ?? '')).json()
    expect(card).toMatchObject({
      service: 'demand_v1',
      registryVersion: 1,
      spine: { rows: 8, missingKeys: 1, missingTimes: 1, sha256: uploaded.body.sha256 },
      parts: set.parts.map(({ url, rows: count, bytes, sha256 }) => ({
        ...{ file: url.split('/').at(-1), rows: count, bytes, sha256 },
      })),
    })
    expect(card.features[0]).toMatchObject({ name: 'seats', minimum: 7, maximum: 12, mean: 26 / 3 })
    expect(card.features[0].quantiles[3]).toBe(7)
    expect(await readdir(setFolder(set.id))).toHaveLength(4)
    const runs = await world.ask('{ runs(kind: TRAINING_SET) { nodes { state rowsRead rowsWritten } } }')
    expect(runs.data.runs.nodes[0]).toEqual({ state: 'SUCCEEDED', rowsRead: 8, rowsWritten: 8 })
  })

  it('is of text in one part, whose columns have the types that all values are of; the column of times may be called otherwise', async () => {
    const lines = spineCsv().replace('event_timestamp', 'seen').replace('shop_id', 'who').trim().split('\n')
    // A share is no integer, and a code no number.
    const more = (row: number): string => (row === 0 ? ',share,code' : `,0.${row}5,00${row}`)
    const csv = lines.map((line, row) => `${line}${more(row)}\n`).join('')
    const columns = [
      { column: 'seen', is: 'event_timestamp' },
      { column: 'who', is: 'shop_id' },
    ]
    const input = { columns, format: 'NDJSON', knownAt: 'row', service: null, features: ['profile:seats'] }
    const set = await world.ended(await createFrom(csv, input, '?format=csv'))
    expect(set).toMatchObject({ state: 'SUCCEEDED', knownAt: 'row', parts: [{ format: 'NDJSON', rows: 8 }] })
    const [file] = await download(set)
    const written = (await readFile(file ?? '', 'utf8')).trim().split('\n')
    expect(JSON.parse(written[1] ?? '')).toMatchObject({
      ...{ who: 'a', label: 0, seats: 12, share: 0.25, code: '002' },
    })
  })

  it('is fetched in ranges of bytes, by a name that its record has, and is not sent again to who has it', async () => {
    const set = await world.ended(await createFrom(parquet))
    const { url = '', bytes = 0, sha256 } = set.parts[0] ?? {}
    const whole = Buffer.from(await (await world.get(url)).arrayBuffer())
    const range = async (text: string, more: Record<string, string> = {}) => {
      const answer = await world.get(url, { headers: { range: text, ...more } })
      const body = Buffer.from(await answer.arrayBuffer())
      return { status: answer.status, range: answer.headers.get('content-range'), body }
    }
    expect(await range('bytes=0-3')).toEqual({
      ...{ status: 206, range: `bytes 0-3/${bytes}`, body: whole.subarray(0, 4) },
    })
    expect(await range('bytes=10-')).toMatchObject({ status: 206, body: whole.subarray(10) })
    expect(await range('bytes=-5')).toMatchObject({ status: 206, body: whole.subarray(-5) })
    expect(await range(`bytes=${bytes}-`)).toMatchObject({ status: 416, range: `bytes */${bytes}` })
    expect(await range('bytes=0-1,4-5')).toMatchObject({ status: 200, body: whole })
    expect(await range('bytes=0-3', { 'if-range': '"another"' })).toMatchObject({ status: 200, body: whole })
    const head = await world.get(url, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length'), head.headers.get('etag')]).toEqual([
      ...[200, String(bytes), `"${sha256}"`],
    ])
    expect((await world.get(url, { headers: { 'if-none-match': `"${sha256}"` } })).status).toBe(304)
    for (const name of ['part-00009.parquet', '..%2f..%2fspines', 'card.json.written'])
      expect((await world.get(`/training-sets/${set.id}/${name}`)).status).toBe(404)
  })

  it('needs the right train, and is seen by the key that created it and by admin', async () => {
    expect((await world.upload(parquet, { key: 'reader' })).status).toBe(403)
    const id = await createFrom(parquet)
    await world.ended(id)
    const seen = async (key: 'ann' | 'bob' | 'boss' | 'reader') => {
      const { data, errors } = await world.ask(
        'query ($id: ID!) { trainingSet(id: $id) { id } trainingSets { nodes { id } } }',
        { id },
        key,
      )
      const status = (await world.get(`/training-sets/${id}/part-00000.parquet`, { key })).status
      return [
        data?.trainingSet?.id === id,
        data?.trainingSets?.nodes.some((one: SetAnswer) => one.id === id),
        status,
        errors?.[0]?.extensions.code,
      ]
    }
    expect(await seen('ann')).toEqual([true, true, 200, undefined])
    expect(await seen('boss')).toEqual([true, true, 200, undefined])
    expect(await seen('bob')).toEqual([false, false, 404, undefined])
    expect(await seen('reader')).toMatchObject([false, undefined, 403, 'FORBIDDEN'])
    const spine = await world.upload(parquet)
    const others = await world.create({ spineId: spine.body.id, service: 'demand_v1' }, 'bob')
    expect(others.errors?.[0]?.message).toContain('there is no spine')
    const remove = await world.ask('mutation ($id: ID!) { deleteTrainingSet(id: $id) }', { id }, 'bob')
    expect(remove.errors?.[0]?.message).toContain('there is no training set')
  })

  it('is refused at its creation for what its job could only fail with, in the words of the command', async () => {
    const { body: spine } = await world.upload(parquet)
    const refused = async (input: object): Promise<string | undefined> => {
      const { errors } = await world.create({ spineId: spine.id, service: 'demand_v1', ...input })
      expect(errors?.[0]?.extensions.code).toBe('BAD_USER_INPUT')
      return errors?.[0]?.message
    }
    expect(await refused({ service: 'demand_v2' })).toContain('there is no feature service "demand_v2"')
    expect(await refused({ knownAt: 'yesterday' })).toContain('--known-at expects a timestamp with an offset')
    expect(await refused({ features: ['profile'] })).toContain('give one of them')
    expect(await refused({ service: null, features: ['profile'], vector: true })).toContain('name (string)')
    expect(await refused({ timezone: 'Mars' })).toContain('Europe/Berlin')
    expect(await refused({ timeUnit: 'min' })).toContain('one of s, ms, us, ns')
    expect(await refused({ columns: [{ column: 'who', is: 'shop_id' }] })).toContain(
      'the spine has no column "who"',
    )
    expect(await refused({ spineId: 'x' })).toContain('POST /spines')
    const { body: keyless } = await world.upload('label\n1\n', { query: '?format=csv' })
    expect(await refused({ spineId: keyless.id })).toContain('the spine has no column "shop_id"')
  })

  it('is created once by an idempotency key, which another one cannot use', async () => {
    const { body: spine } = await world.upload(parquet)
    const input = { spineId: spine.id, service: 'demand_v1', idempotencyKey: 'nightly' }
    const [first, again] = await Promise.all([world.create(input), world.create(input)])
    expect(first.data.createTrainingSet.id).toBe(again.data.createTrainingSet.id)
    const other = await world.create({ ...input, vector: true })
    expect(other.errors?.[0]?.message).toContain('was used for another training set')
    await world.ended(first.data.createTrainingSet.id)
  })

  it('is cancelled within its work, and deleted with its files', async () => {
    const job = await claimedJob()
    let isStopped = false
    const working = attempt(job, ({ trainingFiles }) => ({
      trainingFiles: {
        async open(request) {
          const file = await trainingFiles.open(request)
          // Until the attempt learns of the cancellation.
          const append = () =>
            new Promise<never>((_, reject) => setTimeout(() => reject(new StoreFailed('slow')), 20))
          return { ...file, append }
        },
      },
    })).then(() => {
      isStopped = true
    })
    const cancel = await world.ask(
      'mutation ($id: ID!) { cancelTrainingSet(id: $id) { state parts { url } } }',
      {
        id: job.id,
      },
    )
    expect(cancel.data.cancelTrainingSet).toEqual({ state: 'CANCELLED', parts: [] })
    await working
    expect(isStopped).toBe(true)
    const set = await world.ended(await createFrom(parquet))
    const removed = await world.ask('mutation ($id: ID!) { deleteTrainingSet(id: $id) }', { id: set.id })
    expect(removed.data.deleteTrainingSet).toBe(set.id)
    expect((await world.get(set.parts[0]?.url ?? '')).status).toBe(404)
    await expect(readdir(setFolder(set.id))).rejects.toThrow('ENOENT')
  })

  it('is listed by state, newest first, in pages', async () => {
    const page = async (after: string | null) => {
      const { data } = await world.ask(
        'query ($after: String) { trainingSets(state: SUCCEEDED, first: 2, after: $after) { nodes { id state createdAt } pageInfo { hasNextPage endCursor } } }',
        { after },
      )
      return data.trainingSets
    }
    const first = await page(null)
    const second = await page(first.pageInfo.endCursor)
    const nodes = [...first.nodes, ...second.nodes]
    expect(new Set(nodes.map(({ id }: SetAnswer) => id)).size).toBe(nodes.length)
    expect(nodes.map(({ createdAt }) => createdAt)).toEqual(
      nodes
        .map(({ createdAt }) => createdAt)
        .toSorted()
        .reverse(),
    )
    expect(nodes.every(({ state }) => state === 'SUCCEEDED')).toBe(true)
  })

  it('goes on with finished parts in the snapshot of the first attempt, and after a database that was away', async () => {
    const job = await claimedJob()
    const opened: string[] = []
    const endConnections = `select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`
    await attempt(job, ({ snapshots }) => ({
      snapshots: {
        async open(request) {
          opened.push(String(request.visibleIn))
          if (opened.length === 4) throw new TypeError('the process is killed here')
          const snapshot = await snapshots.open(request)
          if (opened.length === 2) await execute(world.databaseUrl, endConnections)
          return snapshot
        },
      },
      queue: { ...world.gateway.gateway.stores.trainingJobs, fail: async () => false },
    }))
    expect(opened).toHaveLength(4)
    // It was not recorded as failed; nobody renews its lease.
    await execute(
      world.databaseUrl,
      `update featuregraph.training_sets set held_until = now() where id = '${job.id}'`,
    )
    await world.gateway.write('profile', [{ key: { shop_id: 'a' }, at: now - 1, values: { seats: 99 } }])
    const set = await world.ended(job.id)
    expect(set.state).toBe('SUCCEEDED')
    expect(new Set(opened).size).toBe(1)
    const files = await download(set)
    const rows = await query(
      `select seats from read_parquet([${files.map((file) => `'${file}'`).join(', ')}])`,
    )
    expect([rows[0]?.['seats'], rows[7]?.['seats']]).toEqual(['7', '7'])
    const names = await readdir(setFolder(job.id))
    expect(names.filter((name) => name.includes(job.holder.slice(0, 8)))).toHaveLength(2)
    expect(names).toHaveLength(4)
  })

  it('fails with a code and without a file where the disk is full, the definitions are gone, or a row cannot be read', async () => {
    const failed = async (id: string) => {
      const { state, error, errorCode, parts } = await world.ended(id)
      expect([state, parts]).toEqual(['FAILED', []])
      await expect.poll(() => readdir(setFolder(id)).catch((missing) => missing.code)).toBe('ENOENT')
      return [errorCode, error]
    }
    const full = await claimedJob()
    let parts = 0
    await attempt(full, ({ trainingFiles }) => ({
      trainingFiles: {
        open: async (request) => {
          parts += 1
          if (parts < 3) return await trainingFiles.open(request)
          throw new Error(`IO Error: Could not write file "${request.out}": No space left on device`)
        },
      },
    }))
    expect(await failed(full.id)).toEqual(['STORAGE_FULL', expect.not.stringContaining(world.folder)])
    const gone = await claimedJob()
    await attempt(gone, () => ({ versions: { read: async () => null } }))
    expect(await failed(gone.id)).toEqual(['REGISTRY_UNREADABLE', expect.stringContaining('version 1')])
    const broken = await createFrom(spineCsv().replace(',0.5,', ',much,'), {}, '?format=csv')
    expect(await failed(broken)).toEqual(['BAD_USER_INPUT', expect.stringContaining('row 1, column "rain"')])
  })

  it('is made by the definitions of its creation, whatever is applied meanwhile', async () => {
    const job = await claimedJob()
    const changed = join(world.folder, 'changed')
    await mkdir(changed)
    const without = definitions.replace(", { name: 'rating' }", '')
    expect(without).not.toBe(definitions)
    await writeFile(join(changed, 'bakery.mjs'), without)
    const applied = await applyFolder({
      ...{ OFFLINE_URL: world.databaseUrl, PROJECT: world.project, SCHEMA: changed },
    })
    expect(applied.version).toBe(2)
    await attempt(job, () => ({}))
    const set = await world.ended(job.id)
    const card = await (await world.get(set.cardUrl ?? '')).json()
    expect([card.registryVersion, card.vector]).toEqual([1, ['seats', 'rating', 'rain']])
  })

  it('expires with its spine after the retention, and what nobody knows is removed', async () => {
    const set = await world.ended(await createFrom(parquet))
    const { stores } = world.gateway.gateway
    await writeFile(join(spinesFolder(), '.upload-0b0f3c9e-0000-4000-8000-000000000000.csv'), 'shop_id\n')
    const sources = await jobSources(readConfig(world.environment), stores.system, quiet)
    const sweep = (at: number) =>
      sweepFiles({ ...stores, folder: sources.folder, retentionMicros: 7 * day }, at)
    await sweep(now + day / 100)
    expect((await world.ended(set.id)).state).toBe('SUCCEEDED')
    expect((await readdir(spinesFolder())).some((name) => name.startsWith('.upload-'))).toBe(true)
    await sweep(now + 8 * day)
    expect(await world.ended(set.id)).toMatchObject({
      state: 'EXPIRED',
      parts: [],
      cardUrl: null,
      expiresAt: null,
    })
    expect(await readdir(spinesFolder())).toEqual([])
    expect(await readdir(join(world.files, world.project, 'training-sets'))).toEqual([])
  })
})
