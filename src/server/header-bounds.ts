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

/**
 * Why a request is refused before anything parses its headers, and before it is asked who calls, as `http-error.ts` answers
 * it; undefined: it is not.
 */
export function headerFault({ headers, raw }: Pick<FastifyRequest, 'headers' | 'raw'>): Error | undefined {
  for (const [name, limit] of bounds) {
    const value = headers[name]
    if (typeof value === 'string' && value.length > limit) return tooLong(name, limit)
  }
  // Node takes the first; what stands before the gateway may have taken the second.
  return isRepeated(raw.rawHeaders, 'host') ? refused('FST_ERR_TWO_HOSTS', 400) : undefined
}

/** `rawHeaders`: names and values in turn. */
function isRepeated(rawHeaders: readonly string[], name: string): boolean {
  let count = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const one = rawHeaders[at] ?? ''
    if (one.length === name.length && one.toLowerCase() === name) count += 1
  }
  return count > 1
}

function tooLong(name: string, limit: number): Error {
  if (name === 'content-type') return refused('FST_ERR_CTP_LONG_MEDIA_TYPE', 415)
  const message = `expected a ${name} header of at most ${limit} characters`
  return Object.assign(new Error(message), { code: 'FST_ERR_LONG_HEADER', statusCode: 431 })
}

function refused(code: string, statusCode: number): Error {
  return Object.assign(new Error(code), { code, statusCode })
}
