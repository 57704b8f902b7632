import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { FeaturegraphError } from '../errors.ts'

interface Told {
  readonly status: number
  readonly code: string
  readonly message: string
}

/** Fastify's refusals in the words and codes of the gateway. */
const refusals: Readonly<Record<string, Told>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: {
    status: 413,
    code: 'LIMIT_EXCEEDED',
    message: 'the body is larger than the gateway takes',
  },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    status: 415,
    code: 'UNSUPPORTED_MEDIA_TYPE',
    message: 'expected content-type application/json in UTF-8',
  },
  FST_ERR_CTP_EMPTY_JSON_BODY: {
    status: 400,
    code: 'BAD_REQUEST',
    message: 'expected a JSON body, none came',
  },
  FST_ERR_CTP_INVALID_JSON_BODY: { status: 400, code: 'BAD_REQUEST', message: 'the body is not JSON' },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    status: 400,
    code: 'BAD_REQUEST',
    message: 'the body is not as long as its content-length says',
  },
}

const statusOf: Readonly<Record<string, number>> = {
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  LIMIT_EXCEEDED: 400,
}

function tell(error: FastifyError | FeaturegraphError): Told | null {
  if (error instanceof FeaturegraphError) {
    const status = statusOf[error.code]
    return status === undefined ? null : { status, code: error.code, message: error.message }
  }
  const known = refusals[error.code]
  if (known) return known
  const status = error.statusCode ?? 500
  if (status >= 400 && status < 500) {
    return { status, code: 'BAD_REQUEST', message: (STATUS_CODES[status] ?? 'bad request').toLowerCase() }
  }
  return null
}

/** Every error outside GraphQL in the shape of those inside; what is not meant for callers is masked and logged. */
export function sendHttpError(
  error: FastifyError | FeaturegraphError,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const told = tell(error)
  if (told === null) request.log.error({ err: error }, 'request failed')
  const { status, code, message } = told ?? {
    status: 500,
    code: 'INTERNAL_SERVER_ERROR',
    message: 'the gateway failed; its log has the details under this request id',
  }
  if (status === 401) reply.header('www-authenticate', 'Bearer')
  reply.code(status).send({ errors: [{ message, extensions: { code, requestId: request.id } }] })
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
    const head = ['content-type: application/json; charset=utf-8', `content-length: ${body.length}`]
    socket.write(`HTTP/1.1 ${status} ${reason}\r\n${head.join('\r\n')}\r\nconnection: close\r\n\r\n${body}`)
  }
  socket.destroy(error)
}
