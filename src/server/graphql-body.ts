import { isUtf8 } from 'node:buffer'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { isTooDeepJson } from '../definitions/json-depth.ts'

/**
 * JSON of a GraphQL request: UTF-8 or refused (a decoder would put U+FFFD for what is not), and not nested deeply. Fails with
 * what `http-error.ts` answers.
 */
export function readGraphqlBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    if (!isUtf8(body)) return done(refused('FST_ERR_CTP_NOT_UTF8'))
    const read = (error: Error | null, parsed?: unknown): void => {
      if (error) done(error)
      else if (isTooDeepJson(parsed)) done(refused('FST_ERR_CTP_DEEP_JSON'))
      else done(null, parsed)
    }
    const text = body.toString('utf8')
    const parsed = mayPoison(text) ? undefined : parsedOrNull(text)
    // Its own words for what is no JSON.
    if (typeof parsed !== 'object' || parsed === null) parse(request, text, read)
    else read(null, parsed)
  })
}

/**
 * Whether the text may hold a name that changes an object's prototype, which Fastify's parser refuses: it looks by expressions
 * that take longer than reading a small request.
 */
function mayPoison(text: string): boolean {
  return text.includes('__proto__') || text.includes('constructor') || text.includes('\\u')
}

/** The same of what a GET has in its address. */
export function refuseDeepQuery({ method, query }: FastifyRequest): void {
  if (method !== 'GET' || typeof query !== 'object' || query === null) return
  for (const text of Object.values(query))
    if (typeof text === 'string' && /^\s*[[{]/.test(text) && isTooDeepJson(parsedOrNull(text)))
      throw refused('FST_ERR_CTP_DEEP_JSON')
}

/** What is no JSON is refused where it is read. */
function parsedOrNull(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function refused(code: string): Error {
  return Object.assign(new Error(code), { code, statusCode: 400 })
}
