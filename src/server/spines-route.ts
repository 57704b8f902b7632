import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { FeaturegraphError } from '../errors.ts'
import { requireRight } from '../graph/require-right.ts'
import type { ReceiveSpine } from '../historical/jobs/receive-spine.ts'
import { requireFolder } from '../historical/jobs/training-sets.ts'
import { type FileFormat, fileFormats } from '../stores/file-reader.ts'
import { type Audit, auditedCaller } from './audit.ts'
import { requireCaller } from './authenticate.ts'
import { heard } from './heard.ts'
import { refuse } from './http-error.ts'

export interface SpinesRouteOptions {
  /** Null: there is no folder for them. */
  readonly trainingFiles: { readonly receive: ReceiveSpine } | null
  /** Sockets in here are not bound to send a whole request within the server's request timeout. */
  readonly streaming: WeakSet<Socket>
  readonly audit: Audit
}

const formatOfType: Readonly<Record<string, string>> = {
  '': 'parquet',
  'application/octet-stream': 'parquet',
  'application/vnd.apache.parquet': 'parquet',
  'application/x-parquet': 'parquet',
  'text/csv': 'csv',
  'application/x-ndjson': 'ndjson',
  'application/ndjson': 'ndjson',
  'application/json': 'json',
  'application/vnd.apache.arrow.file': 'arrow',
  'application/vnd.apache.arrow.stream': 'arrow',
}
/** For so long a refused body is read on, so that its sender gets to read the answer. */
const lingerMs = 5_000

const statuses: Readonly<Record<string, number>> = {
  BAD_USER_INPUT: 400,
  LIMIT_EXCEEDED: 413,
  STORAGE_FULL: 507,
  STORE_FAILED: 503,
  UNAVAILABLE: 503,
}

/** `POST /spines`: a file, written and validated while it comes in; the caller is known already. */
export function spinesRoute({ trainingFiles, streaming, audit }: SpinesRouteOptions) {
  return async (app: FastifyInstance): Promise<void> => {
    app.removeAllContentTypeParsers()
    // Left as a stream: the body limit is not asked, the spine's own is.
    app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
    app.route<{ Querystring: { readonly format?: unknown } }>({
      method: 'POST',
      url: '/spines',
      async handler(request, reply) {
        const caller = requireCaller(request)
        requireRight(caller, 'train')
        if (isForgeable(request)) return refuse(reply, unsupported('with a content-type, from a page'))
        if ((request.headers['content-encoding'] ?? 'identity') !== 'identity')
          return refuse(reply, unsupported('not compressed as a whole; Parquet is compressed inside'))
        const format = formatOf(request.query.format, request.headers['content-type'])
        if (format === null) return refuse(reply, unsupported(`as one of ?format=${fileFormats.join('|')}`))
        const { raw } = request
        streaming.add(raw.socket)
        reply.raw.once('close', () => streaming.delete(raw.socket))
        try {
          if (trainingFiles === null) return requireFolder(null)
          const spine = await trainingFiles.receive({
            ...{ owner: caller.name, format, declaredBytes: declaredBytes(request), body: heard(raw) },
          })
          const { id, rows, columns, sha256 } = spine
          const deed = { action: 'UPLOAD_SPINE', subject: id, outcome: 'DONE', count: rows } as const
          audit.done(auditedCaller(request), deed)
          return reply.code(201).send({ id, rows, columns, sha256 })
        } catch (error) {
          // Nobody is there to be answered.
          if (raw.destroyed && !raw.complete) throw error
          readOn(raw)
          return refuseSpine(error, request, reply)
        }
      },
    })
  }
}

/** Null: none that is read here. What is asked for wins over the content type. */
function formatOf(asked: unknown, contentType: string | undefined): FileFormat | null {
  const [type = ''] = (contentType ?? '').split(';')
  const name = asked === undefined ? formatOfType[type.trim().toLowerCase()] : asked
  return fileFormats.find((format) => format === name) ?? null
}

/** A body without a content type may come from a page of any origin, unasked; browsers say from which. */
function isForgeable({ headers }: FastifyRequest): boolean {
  const [type = ''] = (headers['content-type'] ?? '').split(';')
  return headers.origin !== undefined && simpleTypes.has(type.trim().toLowerCase())
}

const simpleTypes = new Set(['', 'application/x-www-form-urlencoded', 'multipart/form-data', 'text/plain'])

function declaredBytes({ headers }: FastifyRequest): number | null {
  const length = headers['content-length']
  return length === undefined ? null : Number(length)
}

function unsupported(how: string) {
  return { status: 415, code: 'UNSUPPORTED_MEDIA_TYPE', message: `expected a file as the body, ${how}` }
}

/** @throws what is not for callers. */
function refuseSpine(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const status = error instanceof FeaturegraphError ? statuses[error.code] : undefined
  if (!(error instanceof FeaturegraphError) || status === undefined) throw error
  if (error.code !== 'STORE_FAILED')
    return refuse(reply, { status, code: error.code, message: error.message })
  request.log.warn({ err: error }, 'a spine could not be recorded')
  const message = 'the offline store did not answer; send the spine again later'
  return refuse(reply, { status, code: 'UNAVAILABLE', message })
}

function readOn(raw: IncomingMessage): void {
  if (raw.complete || raw.destroyed) return
  const limit = setTimeout(() => raw.destroy(), lingerMs)
  raw.once('close', () => clearTimeout(limit))
  raw.once('end', () => clearTimeout(limit))
  raw.on('error', () => {})
  raw.resume()
}
