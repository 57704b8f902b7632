import { createWriteStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { AwsClient } from 'aws4fetch'
import { errorCode, messageOf, StoreFailed } from '../../errors.ts'
import type { S3Access } from '../lake-access.ts'
import { type ObjectPlace, objectPlace } from './object-place.ts'
import { refusal } from './refusal.ts'

/**
 * Objects by their whole bytes, under `s3://bucket/key`; what reads parts of Parquet files is DuckDB's.
 * Methods throw BadUserInput where the store refuses (403) or a bucket or object is missing, StoreFailed where it cannot be
 * reached. No message holds a credential.
 */
export interface ObjectStore {
  /** Into a file of this machine. */
  readonly fetchInto: (url: string, file: string) => Promise<void>
  /** Null: there is no such object. */
  readonly read: (url: string) => Promise<string | null>
  readonly write: (url: string, text: string) => Promise<void>
  /** A file, in parts where it is large: the object is there once all of it is. */
  readonly put: (file: string, url: string) => Promise<void>
  /** The URLs that begin with this one, sorted as the store sorts. */
  readonly list: (prefix: string) => Promise<readonly string[]>
  readonly remove: (url: string) => Promise<void>
}

/** Held in memory; ten thousand parts are allowed, so that 160 GB fit before they grow. */
const partBytes = 16 * 1_048_576
const mostParts = 9_000

export function openObjectStore(access: S3Access): ObjectStore {
  const { credentials, region } = access
  const signed =
    credentials === null
      ? null
      : new AwsClient({
          ...{ accessKeyId: credentials.accessKeyId, secretAccessKey: credentials.secretAccessKey },
          ...(credentials.sessionToken === null ? {} : { sessionToken: credentials.sessionToken }),
          ...{ service: 's3', region, retries: 4, initRetryMs: 100 },
        })

  /** The answer, whatever its status. */
  async function ask(
    { url, address }: ObjectPlace,
    method: string,
    {
      query = {},
      body = null,
    }: { query?: Readonly<Record<string, string>>; body?: Uint8Array<ArrayBuffer> | string | null } = {},
  ): Promise<Response> {
    const target = new URL(address)
    for (const [name, value] of Object.entries(query)) target.searchParams.set(name, value)
    const request = { method, ...(body === null ? {} : { body }) }
    try {
      return await (signed === null ? fetch(target, request) : signed.fetch(target.href, request))
    } catch (error) {
      throw unreachable(url, target, error)
    }
  }
  async function expectGood(place: ObjectPlace, answer: Response): Promise<Response> {
    if (answer.ok) return answer
    throw refusal(place.url, answer.status, await answer.text().catch(() => ''))
  }
  async function putParts(place: ObjectPlace, file: string, size: number): Promise<void> {
    const begun = await expectGood(place, await ask(place, 'POST', { query: { uploads: '' } }))
    const uploadId = /<UploadId>([^<]+)</.exec(await begun.text())?.[1] ?? ''
    const handle = await open(file)
    try {
      const length = Math.max(partBytes, Math.ceil(size / mostParts))
      const tags: string[] = []
      for (let start = 0; start < size; start += length) {
        const body = new Uint8Array(Math.min(length, size - start))
        await handle.read(body, 0, body.length, start)
        const query = { partNumber: String(tags.length + 1), uploadId }
        const answer = await expectGood(place, await ask(place, 'PUT', { query, body }))
        tags.push(answer.headers.get('etag') ?? '')
      }
      const list = tags.map(
        (tag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${tag}</ETag></Part>`,
      )
      const body = `<CompleteMultipartUpload>${list.join('')}</CompleteMultipartUpload>`
      const done = await expectGood(place, await ask(place, 'POST', { query: { uploadId }, body }))
      // It may fail after its status was sent.
      const text = await done.text()
      if (text.includes('<Error>')) throw refusal(place.url, done.status, text)
    } catch (error) {
      await ask(place, 'DELETE', { query: { uploadId } }).catch(() => {})
      throw error
    } finally {
      await handle.close()
    }
  }

  const at = (url: string): ObjectPlace => objectPlace(url, access)
  return {
    async fetchInto(url, file) {
      const answer = await expectGood(at(url), await ask(at(url), 'GET'))
      const { body } = answer
      // The types of Node and of the DOM name the same stream.
      const bytes =
        body === null ? Readable.from([]) : Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0])
      await pipeline(bytes, createWriteStream(file)).catch((error: unknown) => {
        throw /^E[A-Z]+$/.test(errorCode(error)) ? error : unreachable(url, new URL(at(url).address), error)
      })
    },
    async read(url) {
      const answer = await ask(at(url), 'GET')
      if (answer.status === 404) {
        const text = await answer.text()
        if (text.includes('NoSuchKey')) return null
        throw refusal(url, answer.status, text)
      }
      return await (await expectGood(at(url), answer)).text()
    },
    async write(url, text) {
      await expectGood(at(url), await ask(at(url), 'PUT', { body: text }))
    },
    async put(file, url) {
      const { size } = await stat(file)
      if (size > partBytes) return await putParts(at(url), file, size)
      const handle = await open(file)
      const body = new Uint8Array(await handle.readFile().finally(() => handle.close()))
      await expectGood(at(url), await ask(at(url), 'PUT', { body }))
    },
    async list(prefix) {
      const place = at(prefix)
      const found: string[] = []
      let token = ''
      let isLast = false
      while (!isLast) {
        const query: Record<string, string> = {
          ...{ 'list-type': '2', prefix: place.key },
          ...(token === '' ? {} : { 'continuation-token': token }),
        }
        const bucket = { ...place, address: place.bucketAddress }
        const answer = await expectGood(place, await ask(bucket, 'GET', { query }))
        const text = await answer.text()
        for (const [, key = ''] of text.matchAll(/<Key>([^<]*)<\/Key>/g))
          found.push(`s3://${place.bucket}/${unescaped(key)}`)
        token = /<NextContinuationToken>([^<]+)</.exec(text)?.[1] ?? ''
        isLast = token === ''
      }
      return found
    },
    async remove(url) {
      await expectGood(at(url), await ask(at(url), 'DELETE'))
    },
  }
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** A text of XML. */
function unescaped(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) => {
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16))
    return decimal === undefined ? (entities[name] ?? whole) : String.fromCodePoint(Number(decimal))
  })
}

function unreachable(url: string, { host }: URL, error: unknown): StoreFailed {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const reason = errorCode(cause) === '' ? messageOf(cause) : errorCode(cause)
  return new StoreFailed(`${url}: the object store at ${host} cannot be reached (${reason})`, {
    cause: error,
  })
}
