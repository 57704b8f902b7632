import { readdir, readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readConfig } from '../../src/config/read-config.ts'
import { requireFolder } from '../../src/historical/jobs/training-sets.ts'
import { type JobWorld, query, spineCsv, startJobWorld } from '../historical/jobs/job-world.ts'
import { waitUntil } from '../services/wait-until.ts'

let world: JobWorld

beforeAll(async () => {
  world = await startJobWorld({
    settings: {
      ...{ SPINE_MAX_BYTES: '4000', SPINE_MAX_ROWS: '20', FILES_MAX_BYTES_PER_KEY: '6000' },
      TRAINING_SET_CONCURRENCY: '0',
    },
  })
})
afterAll(() => world?.close())

const names = async (): Promise<readonly string[]> =>
  await readdir(join(world.files, world.project, 'spines')).catch(() => [])

/** A body without a length of its own. */
function streamed(text: string): ReadableStream {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(Buffer.from(text))
      controller.close()
    },
  })
}

describe('POST /spines', () => {
  it('refuses a body that is too long, by its length or while it comes, or has too many rows, and nothing of it stays', async () => {
    const long = `shop_id\n${'a\n'.repeat(2_000)}`
    const rows = `shop_id\n${'a\n'.repeat(21)}`
    for (const body of [long, streamed(long), rows]) {
      const refused = await world.upload(body, { query: '?format=csv' })
      expect(refused.status).toBe(413)
      expect(refused.body.errors?.[0]?.extensions.code).toBe('LIMIT_EXCEEDED')
    }
    expect(await names()).toEqual([])
  })

  it('refuses what is not a file of its format, or of none that is read, and nothing of it stays', async () => {
    const path = join(world.folder, 'one.parquet')
    await query(`copy (select 'a' as shop_id from range(9)) to '${path}'`)
    const parquet = await readFile(path)
    const refused = async (body: Buffer | string, format: string, status = 400) => {
      const answer = await world.upload(body, { query: `?format=${format}` })
      expect(answer.status).toBe(status)
      const [error] = answer.body.errors ?? []
      expect(error?.message).not.toContain(world.folder)
      return `${error?.extensions.code}: ${error?.message}`
    }
    expect(await refused(parquet.subarray(0, -20), 'parquet')).toContain(
      'BAD_USER_INPUT: the spine cannot be read as Parquet',
    )
    expect(await refused('', 'parquet')).toContain('BAD_USER_INPUT')
    expect(await refused(spineCsv(), 'parquet')).toContain('BAD_USER_INPUT')
    expect(await refused(parquet, 'csv')).toContain('is Parquet')
    expect(await refused('a,b\n1\n', 'csv')).toContain('row 1')
    expect(await refused('{"a":1}\n{"a":', 'ndjson')).toContain('row 2')
    expect(await refused('a,a\n1,2\n', 'csv')).toContain('two columns have one name')
    expect(await refused('x', 'xlsx', 415)).toContain('UNSUPPORTED_MEDIA_TYPE')
    expect(await names()).toEqual([])
  })

  it('takes the format of its content type, Parquet without one, and nothing from a page unasked', async () => {
    const csv = await world.upload(spineCsv(), { headers: { 'content-type': 'text/csv; charset=utf-8' } })
    expect(csv).toMatchObject({ status: 201, body: { rows: 8 } })
    const page = await world.upload(Buffer.from('PAR1'), { headers: { origin: 'http://elsewhere.example' } })
    expect(page.status).toBe(415)
    const packed = await world.upload(spineCsv(), {
      query: '?format=csv',
      headers: { 'content-encoding': 'gzip' },
    })
    expect(packed.status).toBe(415)
  })

  it('keeps nothing of a body that breaks off', async () => {
    const before = await names()
    const { hostname, port } = new URL(world.gateway.url)
    const socket = connect(Number(port), hostname)
    socket.write(
      [
        'POST /spines?format=csv HTTP/1.1',
        'host: localhost',
        'authorization: Bearer ann',
        'content-length: 3000',
        '',
        'shop_id\n',
      ].join('\r\n'),
    )
    await waitUntil(async () => (await names()).length > before.length, 'the upload has begun')
    socket.destroy()
    await waitUntil(async () => (await names()).length === before.length, 'it is removed')
  })

  it('ends when the share of the key is used up; another key has its own', async () => {
    const part = `shop_id,name\n${Array.from({ length: 19 }, () => `a,${'x'.repeat(150)}`).join('\n')}\n`
    const upload = (key: 'ann' | 'bob') => world.upload(part, { query: '?format=csv', key })
    expect((await upload('ann')).status).toBe(201)
    const refused = await upload('ann')
    expect(refused.status).toBe(413)
    expect(refused.body.errors?.[0]?.message).toContain('FEATUREGRAPH_FILES_MAX_BYTES_PER_KEY')
    expect((await upload('bob')).status).toBe(201)
  })

  it('and a training set need a folder, which only the embedded Postgres has unasked', () => {
    const folderOf = (settings: Record<string, string>) => readConfig(settings).filesFolder
    expect(folderOf({ FEATUREGRAPH_DATA: '/data' })).toBe('/data/files')
    expect(folderOf({ FEATUREGRAPH_OFFLINE_URL: 'postgres://host/db' })).toBeNull()
    expect(() => requireFolder(null)).toThrow('set FEATUREGRAPH_FILES')
    expect(folderOf({ FEATUREGRAPH_OFFLINE_URL: 'postgres://host/db', FEATUREGRAPH_FILES: '/f' })).toBe('/f')
  })
})
