import type { FastifyRequest } from 'fastify'

/**
 * Longer than any that means something. Apollo Server's parser of media types takes time by the square of the spaces in
 * one: 15,000 of them would hold up every request for almost a second.
 */
const longestContentType = 256

type RequestHeaders = Pick<FastifyRequest, 'headers'>

/** Before anything parses it. @throws what `http-error.ts` answers as 415. */
export async function refuseLongContentType({ headers }: RequestHeaders): Promise<void> {
  if ((headers['content-type']?.length ?? 0) > longestContentType) throw unsupported('LONG_MEDIA_TYPE')
}

/** @throws what `http-error.ts` answers as 415 to a body in another charset than UTF-8. */
export async function refuseOtherCharsets({ headers }: RequestHeaders): Promise<void> {
  const [, charset] = /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(headers['content-type'] ?? '') ?? []
  if (charset === undefined || /^utf-?8$/i.test(charset)) return
  throw unsupported('INVALID_MEDIA_TYPE')
}

function unsupported(what: 'LONG_MEDIA_TYPE' | 'INVALID_MEDIA_TYPE'): Error {
  return Object.assign(new Error(what), { code: `FST_ERR_CTP_${what}`, statusCode: 415 })
}
