import { type Readable, Transform } from 'node:stream'
import { createGunzip } from 'node:zlib'
import type { FastifyRequest } from 'fastify'

/**
 * The body as it was before gzip, at most `limit` bytes of it: what swells beyond is not unpacked. Fails with what
 * `http-error.ts` answers as 413, as 400 to what is no gzip, and as 415 to another coding.
 */
export async function decompressBody(
  { headers, raw }: Pick<FastifyRequest, 'headers' | 'raw'>,
  payload: Readable,
  limit: number,
): Promise<Readable> {
  const coding = (headers['content-encoding'] ?? 'identity').trim().toLowerCase()
  if (coding === 'identity') return payload
  if (coding !== 'gzip' && coding !== 'x-gzip') throw failure('FST_ERR_CTP_INVALID_CODING', 415)
  const gunzip = createGunzip()
  let size = 0
  const bounded = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length
      if (size <= limit) return done(null, chunk)
      payload.unpipe(gunzip)
      gunzip.destroy()
      done(failure('FST_ERR_CTP_BODY_TOO_LARGE', 413))
    },
  })
  gunzip.on('error', () => bounded.destroy(failure('FST_ERR_CTP_INVALID_GZIP', 400)))
  raw.once('close', () => {
    // A body that came whole is read to its end; one that broke off has none.
    if (!raw.complete) gunzip.destroy(new Error('the request broke off'))
  })
  // Fastify compares what came with `content-length`.
  const counted = Object.assign(bounded, { receivedEncodedLength: 0 })
  payload.on('data', (chunk: Buffer) => {
    counted.receivedEncodedLength += chunk.length
  })
  payload.pipe(gunzip).pipe(bounded)
  return counted
}

function failure(code: string, statusCode: number): Error {
  return Object.assign(new Error(code), { code, statusCode })
}
