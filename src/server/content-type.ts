import type { FastifyRequest } from 'fastify'

type RequestHeaders = Pick<FastifyRequest, 'headers'>

/** @throws what `http-error.ts` answers as 415 to a body in another charset than UTF-8. */
export function refuseOtherCharsets({ headers }: RequestHeaders): void {
  const [, charset] = /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(headers['content-type'] ?? '') ?? []
  if (charset === undefined || /^utf-?8$/i.test(charset)) return
  throw Object.assign(new Error('INVALID_MEDIA_TYPE'), {
    ...{ code: 'FST_ERR_CTP_INVALID_MEDIA_TYPE', statusCode: 415 },
  })
}
