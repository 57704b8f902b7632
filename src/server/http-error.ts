import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { tooDeepJson } from '../definitions/json-depth.ts'
import { FeaturegraphError, retryAfterSeconds } from '../errors.ts'
import { everyAnswer } from './answer-headers.ts'

interface Refusal {
  readonly status: number
  readonly code: string
  readonly message: string
}

function refusal(status: number, code: string, message: string): Refusal {
  return { status, code, message }
}

/** An error outside GraphQL, in the shape of those inside. */
export function refuse(reply: FastifyReply, { status, code, message }: Refusal): FastifyReply {
  return reply.code(status).send({ errors: [{ message, extensions: { code, requestId: reply.request.id } }] })
}

/** Fastify's refusals in the words and codes of the gateway. */
const refusals: Readonly<Record<string, Refusal>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: refusal(413, 'LIMIT_EXCEEDED', 'the body is larger than the gateway takes'),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: refusal(
    415,
    'UNSUPPORTED_MEDIA_TYPE',
    'expected content-type application/json in UTF-8',
  ),
  // These are the gateway's own, in the form of Fastify's.
  FST_ERR_CTP_LONG_MEDIA_TYPE: refusal(
    415,
    'UNSUPPORTED_MEDIA_TYPE',
    'expected a content-type of at most 256 characters',
  ),
  FST_ERR_CTP_INVALID_CODING: refusal(
    415,
    'UNSUPPORTED_MEDIA_TYPE',
    'expected a body that is not compressed, or compressed once by gzip',
  ),
  FST_ERR_CTP_NOT_UTF8: refusal(400, 'BAD_REQUEST', 'the body is not UTF-8'),
  FST_ERR_CTP_DEEP_JSON: refusal(400, 'LIMIT_EXCEEDED', tooDeepJson),
  FST_ERR_TWO_HOSTS: refusal(400, 'BAD_REQUEST', 'expected one Host header'),
  FST_ERR_CTP_INVALID_GZIP: refusal(
    400,
    'BAD_REQUEST',
    'the body is not the whole of a gzip stream, as its content-encoding says',
  ),
  FST_ERR_CTP_EMPTY_JSON_BODY: refusal(400, 'BAD_REQUEST', 'expected a JSON body, none came'),
  FST_ERR_CTP_INVALID_JSON_BODY: refusal(400, 'BAD_REQUEST', 'the body is not JSON'),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: refusal(
    400,
    'BAD_REQUEST',
    'the body is not as long as its content-length says',
  ),
}
const masked = refusal(
  500,
  'INTERNAL_SERVER_ERROR',
  'the gateway failed; its log has the details under this request id',
)

const statusOf: Readonly<Record<string, number>> = {
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  LIMIT_EXCEEDED: 400,
  RATE_LIMITED: 429,
  OVERLOADED: 503,
  STORAGE_FULL: 507,
}

function refusalOf(error: FastifyError | FeaturegraphError): Refusal | null {
  if (error instanceof FeaturegraphError) {
    const status = statusOf[error.code]
    return status === undefined ? null : refusal(status, error.code, error.message)
  }
  if (error.code === 'FST_ERR_LONG_HEADER') return refusal(431, 'LIMIT_EXCEEDED', error.message)
  const known = refusals[error.code]
  if (known) return known
  const status = error.statusCode ?? 500
  if (status < 400 || status >= 500) return null
  return refusal(status, 'BAD_REQUEST', (STATUS_CODES[status] ?? 'bad request').toLowerCase())
}

/** Every error outside GraphQL in the shape of those inside; what is not meant for callers is masked and logged. */
export function sendHttpError(
  error: FastifyError | FeaturegraphError,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const refused = refusalOf(error)
  if (refused === null) request.log.error({ err: error }, 'request failed')
  const seconds = retryAfterSeconds(error)
  if (seconds !== null) reply.header('retry-after', seconds)
  if (refused?.status === 401) reply.header('www-authenticate', 'Bearer')
  if (refused === refusals['FST_ERR_CTP_INVALID_CODING']) reply.header('accept-encoding', 'gzip')
  refuse(reply, refused ?? masked)
}

const statusOfUnreadable: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
}

/** A request that Node itself cannot read (headers too long, no HTTP) reaches no route: the same shape, without an id. */
export function refuseUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (socket.writable && error.code !== 'ECONNRESET') {
    const status = statusOfUnreadable[error.code ?? ''] ?? 400
    const reason = STATUS_CODES[status] ?? ''
    const code = status === 431 ? 'LIMIT_EXCEEDED' : 'BAD_REQUEST'
    const body = JSON.stringify({ errors: [{ message: reason.toLowerCase(), extensions: { code } }] })
    const head = [
      ...['content-type: application/json; charset=utf-8', `content-length: ${body.length}`],
      ...Object.entries(everyAnswer).map(([name, value]) => `${name}: ${value}`),
    ]
    socket.write(`HTTP/1.1 ${status} ${reason}\r\n${head.join('\r\n')}\r\nconnection: close\r\n\r\n${body}`)
  }
  socket.destroy(error)
}
