import { createHash } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { jobProcess } from './job-process.ts'
import { type JobWorld, query, spineCsv, startJobWorld } from './job-world.ts'

let world: JobWorld
let parquet: Buffer

beforeAll(async () => {
  world = await startJobWorld({ apart: jobProcess })
  const csv = join(world.folder, 'labels.csv')
  await writeFile(csv, spineCsv())
  const path = join(world.folder, 'labels.parquet')
  await query(`copy (select * from read_csv('${csv}')) to '${path}'`)
  parquet = await readFile(path)
})
afterAll(() => world?.close())

describe('a training set over the network', () => {
  it('goes from an uploaded file over a job in a process of its own to parts with their digests, and a card of all', async () => {
    const uploaded = await world.upload(parquet)
    expect(uploaded).toMatchObject({
      status: 201,
      body: { rows: 8, columns: ['shop_id', 'event_timestamp', 'rain', 'label'] },
    })
    expect(uploaded.body.sha256).toBe(createHash('sha256').update(parquet).digest('hex'))
    const created = await world.create({
      spineId: uploaded.body.id,
      service: 'demand_v1',
      vector: true,
      statuses: true,
    })
    expect(created.errors).toBeUndefined()
    expect(created.data.createTrainingSet).toMatchObject({
      state: 'QUEUED',
      progress: 0,
      rows: 8,
      parts: [],
      cardUrl: null,
    })
    const set = await world.ended(created.data.createTrainingSet.id)
    expect(set).toMatchObject({ state: 'SUCCEEDED', progress: 1, error: null, errorCode: null })
    const files: string[] = []
    for (const part of set.parts) {
      const answer = await world.get(part.url)
      expect(answer.status).toBe(200)
      const body = Buffer.from(await answer.arrayBuffer())
      expect(createHash('sha256').update(body).digest('hex')).toBe(part.sha256)
      expect(body).toHaveLength(part.bytes)
      files.push(join(world.folder, part.url.replaceAll('/', '_')))
      await writeFile(files.at(-1) ?? '', body)
    }
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
    expect(await readdir(join(world.files, world.project, 'training-sets', set.id))).toHaveLength(
      set.parts.length + 1,
    )
  })
})
