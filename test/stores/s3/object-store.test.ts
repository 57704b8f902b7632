import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../../../src/embedded/free-port.ts'
import { type ObjectStore, openObjectStore } from '../../../src/stores/s3/object-store.ts'
import { startObjectStore, type TestObjectStore } from '../../services/object-store.ts'

let server: TestObjectStore
let objects: ObjectStore
let folder: string
beforeAll(async () => {
  ;[server, folder] = await Promise.all([
    startObjectStore(),
    mkdtemp(join(tmpdir(), 'featuregraph-objects-')),
  ])
  objects = openObjectStore(server.access)
})
afterAll(async () => {
  await server?.stop()
  await rm(folder, { recursive: true, force: true })
})

describe('the object store', () => {
  it('gives back what was put, under names with every sign, and lists them', async () => {
    const names = ['plain.txt', 'day=2026-11-20/a b+c.txt', `ä€ & 'x' %41.txt`]
    for (const name of names) await objects.write(`s3://lake/names/${name}`, `of ${name}`)
    for (const name of names) expect(await objects.read(`s3://lake/names/${name}`)).toBe(`of ${name}`)
    expect((await objects.list('s3://lake/names/')).toSorted()).toEqual(
      names.map((name) => `s3://lake/names/${name}`).toSorted(),
    )
    expect(await objects.list('s3://lake/none/')).toEqual([])
    await objects.remove('s3://lake/names/plain.txt')
    expect(await objects.read('s3://lake/names/plain.txt')).toBeNull()
  })

  it('puts a large file in parts, and fetches all of it', async () => {
    const [from, to] = [join(folder, 'large'), join(folder, 'fetched')]
    const bytes = Buffer.alloc(20 * 1_048_576, 'featuregraph ')
    await writeFile(from, bytes)
    await objects.put(from, 's3://lake/large')
    await objects.fetchInto('s3://lake/large', to)
    expect((await readFile(to)).equals(bytes)).toBe(true)
  })

  it('says that a bucket or an object is missing', async () => {
    await expect(objects.write('s3://nothing/x', '')).rejects.toThrow(
      's3://nothing/x: there is no such bucket (404, NoSuchBucket); create it, or check AWS_REGION and AWS_ENDPOINT_URL',
    )
    await expect(objects.fetchInto('s3://lake/gone', join(folder, 'gone'))).rejects.toThrow(
      's3://lake/gone is not there (404, NoSuchKey)',
    )
    await expect(objects.read('lake/gone')).rejects.toThrow('expected s3://bucket/key')
  })

  it('says that access is refused, and shows no credential', async () => {
    const credentials = { accessKeyId: 'not-the-key', secretAccessKey: 'not-the-secret', sessionToken: null }
    const refused = openObjectStore({ ...server.access, credentials })
    const error = await refused.read('s3://lake/x').catch((thrown: Error) => thrown)
    expect(error).toMatchObject({
      code: 'BAD_USER_INPUT',
      message:
        's3://lake/x: the object store refuses access (403, InvalidAccessKeyId); check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, and what they may do in the bucket',
    })
    expect(String(error)).not.toContain('not-the')
  })

  it('says that a server cannot be reached', async () => {
    const port = await freePort()
    const away = openObjectStore({ ...server.access, endpoint: `http://127.0.0.1:${port}` })
    await expect(away.read('s3://lake/x')).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: `s3://lake/x: the object store at 127.0.0.1:${port} cannot be reached (ECONNREFUSED)`,
    })
    const nonsense = openObjectStore({ ...server.access, endpoint: 'lake.example' })
    await expect(nonsense.read('s3://lake/x')).rejects.toThrow('AWS_ENDPOINT_URL is no address')
  })

  it('leaves no object, and no upload, where one of its parts fails', async () => {
    const asked: string[] = []
    const failing: Server = createServer((request, response) => {
      asked.push(`${request.method} ${(request.url ?? '').split('?')[1]}`)
      request.resume().on('end', () => {
        if (request.method === 'POST') response.end('<UploadId>u1</UploadId>')
        else response.writeHead(request.url?.includes('partNumber=2') ? 403 : 200).end()
      })
    })
    await new Promise<void>((resolve) => failing.listen(0, '127.0.0.1', resolve))
    try {
      const { port } = failing.address() as AddressInfo
      const file = join(folder, 'two-parts')
      await writeFile(file, Buffer.alloc(17 * 1_048_576))
      const half = openObjectStore({ ...server.access, endpoint: `http://127.0.0.1:${port}` })
      await expect(half.put(file, 's3://lake/half')).rejects.toThrow('refuses access (403)')
      expect(asked).toEqual([
        ...[
          'POST uploads=',
          'PUT partNumber=1&uploadId=u1',
          'PUT partNumber=2&uploadId=u1',
          'DELETE uploadId=u1',
        ],
      ])
    } finally {
      await new Promise((resolve) => failing.close(resolve))
    }
  })
})
