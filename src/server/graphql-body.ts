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
    parse(request, body.toString('utf8'), (error, parsed) => {
      if (error) return done(error)
      if (isTooDeepJson(parsed)) return done(refused('FST_ERR_CTP_DEEP_JSON'))
      done(null, parsed)
    })
  })
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
