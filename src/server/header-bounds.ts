import type { FastifyRequest } from 'fastify'

/** Characters of each header that anything here parses; longer than any that means something. */
const longest: Readonly<Record<string, number>> = {
  accept: 1_024,
  'accept-encoding': 1_024,
  'access-control-request-headers': 1_024,
  authorization: 8_192,
  'content-encoding': 64,
  // Apollo Server's parser of media types takes time by the square of the spaces in one: 15,000 of them would hold up every
  // request for almost a second.
  'content-type': 256,
  'idempotency-key': 1_024,
  'if-none-match': 4_096,
  'if-range': 256,
  origin: 512,
  range: 256,
}
const bounds = Object.entries(longest)
/** Headers that have no more characters together, repeated ones joined by two, are all short enough. */
const shortest = Math.min(...bounds.map(([, limit]) => limit))

/**
 * Why a request is refused before anything parses its headers, and before it is asked who calls, as `http-error.ts` answers
 * it; undefined: it is not.
 */
export function headerFault({ headers, raw }: Pick<FastifyRequest, 'headers' | 'raw'>): Error | undefined {
  // Names and values in turn.
  const { rawHeaders } = raw
  let hosts = 0
  let characters = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? ''
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1
    characters += (rawHeaders[at + 1] ?? '').length + 2
  }
  // Node takes the first; what stands before the gateway may have taken the second.
  if (hosts > 1) return refused('FST_ERR_TWO_HOSTS', 400)
  return characters > shortest ? longHeader(headers) : undefined
}

function longHeader(headers: FastifyRequest['headers']): Error | undefined {
  for (const [name, limit] of bounds) {
    const value = headers[name]
    if (typeof value === 'string' && value.length > limit) return tooLong(name, limit)
  }
  return undefined
}

function tooLong(name: string, limit: number): Error {
  if (name === 'content-type') return refused('FST_ERR_CTP_LONG_MEDIA_TYPE', 415)
  const message = `expected a ${name} header of at most ${limit} characters`
  return Object.assign(new Error(message), { code: 'FST_ERR_LONG_HEADER', statusCode: 431 })
}

function refused(code: string, statusCode: number): Error {
  return Object.assign(new Error(code), { code, statusCode })
}
