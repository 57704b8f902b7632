import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { BadUserInput, InvalidRow } from '../errors.ts'
import { requireRight } from '../graph/require-right.ts'
import {
  acceptIdempotencyKey,
  type PushedRow,
  type PushOptions,
  type PushOutcome,
  type PushRows,
  type PushTarget,
  refuseMapped,
} from '../ingest/push-rows.ts'
import { readPushedLine } from '../ingest/read-pushed-line.ts'
import type { FeatureView, Registry } from '../registry/registry.ts'
import { requireCaller } from './authenticate.ts'

export interface PushRouteOptions {
  readonly registry: Registry
  readonly push: PushRows
  /** Sockets in here are not bound to send a whole request within the server's request timeout. */
  readonly streaming: WeakSet<Socket>
}

const mediaType = 'application/x-ndjson'
const maxLineBytes = 1_048_576
/** A batch ends at either, by the lines alone, so that a retry of the same lines is cut alike. */
const maxBatchRows = 2_000
const maxBatchBytes = 4 * 1_048_576
/** A sender that is silent for longer is given up. */
const silenceMs = 30_000
/**
 * Bytes of answer that wait for a caller who reads it only once all is sent (about 300,000 rows); beyond, sending
 * waits too.
 */
const answerBytes = 16 * 1_048_576

/** `POST /push/<view>`: NDJSON in, NDJSON out, a batch in memory at a time. The caller is known already. */
export function pushRoute(options: PushRouteOptions) {
  return async (app: FastifyInstance): Promise<void> => {
    app.removeAllContentTypeParsers()
    // Left as a stream: the body limit is not asked, the batch is the bound.
    app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
    app.route<{ Params: { view: string }; Querystring: { to?: string } }>({
      method: 'POST',
      url: '/push/:view',
      handler: async (request, reply) => {
        requireRight(requireCaller(request), 'write')
        if (!isNdjson(request)) {
          return refuse(
            reply,
            415,
            'UNSUPPORTED_MEDIA_TYPE',
            `expected content-type ${mediaType} in UTF-8, not compressed`,
          )
        }
        const view = options.registry.views.find(({ name }) => name === request.params.view)
        if (!view) {
          return refuse(
            reply,
            404,
            'NOT_FOUND',
            'there is no feature view of this name; names are as in the definitions',
          )
        }
        let push: PushOptions
        try {
          refuseMapped(view)
          push = {
            to: acceptTarget(request.query.to),
            idempotencyKey: acceptIdempotencyKey(headerOf(request, 'idempotency-key')),
          }
        } catch (error) {
          if (!(error instanceof BadUserInput)) throw error
          return refuse(reply, 400, error.code, error.message)
        }
        const { socket } = request.raw
        options.streaming.add(socket)
        reply.raw.once('close', () => options.streaming.delete(socket))
        const lines = answerLines(options.push, view, request.raw, push)
        return reply
          .type(mediaType)
          .send(Readable.from(lines, { objectMode: false, highWaterMark: answerBytes }))
      },
    })
  }
}

function refuse(reply: FastifyReply, status: number, code: string, message: string): FastifyReply {
  return reply.code(status).send({ errors: [{ message, extensions: { code, requestId: reply.request.id } }] })
}

function isNdjson(request: FastifyRequest): boolean {
  const [type = '', ...parameters] = (headerOf(request, 'content-type') ?? '').toLowerCase().split(';')
  const encoding = headerOf(request, 'content-encoding') ?? 'identity'
  const inUtf8 = parameters.every((parameter) => /^\s*(?:charset\s*=\s*"?utf-?8"?\s*)?$/.test(parameter))
  return type.trim() === mediaType && inUtf8 && encoding.toLowerCase() === 'identity'
}

function headerOf(request: FastifyRequest, name: string): string | null {
  const value = request.headers[name]
  return typeof value === 'string' ? value : null
}

/** @throws BadUserInput */
function acceptTarget(to: unknown): PushTarget {
  if (to === undefined) return 'BOTH'
  if (to === 'OFFLINE' || to === 'BOTH') return to
  throw new BadUserInput('expected ?to=BOTH or ?to=OFFLINE, once')
}

/**
 * A line per row and a last one with the counts. With an idempotency key every batch is a push of its own, under
 * `<key>/<number of the batch>`: a retry after a break repeats what was done and goes on. A body that breaks off ends
 * this with its error, and the batch that was coming in is not written: the retry has it whole.
 */
async function* answerLines(
  push: PushRows,
  view: FeatureView,
  body: Readable,
  { to, idempotencyKey }: PushOptions,
): AsyncGenerator<string> {
  let row = 0
  let accepted = 0
  let batch = 0
  for await (const rows of batches(view, body)) {
    const key = idempotencyKey === null ? null : `${idempotencyKey}/${batch}`
    const outcomes = await push(view, rows, { to, idempotencyKey: key }).catch(refuseAll(rows.length))
    let lines = ''
    for (const outcome of outcomes) {
      if (outcome.accepted) accepted += 1
      lines += `${JSON.stringify(told(row, outcome))}\n`
      row += 1
    }
    yield lines
    batch += 1
  }
  yield `${JSON.stringify({ accepted, rejected: row - accepted })}\n`
}

/** The answer has begun: what refuses a batch is told for each of its rows. */
function refuseAll(count: number) {
  return (error: unknown): readonly PushOutcome[] => {
    if (!(error instanceof BadUserInput)) throw error
    const { code, message } = error
    return Array<PushOutcome>(count).fill({ accepted: false, online: 'NOT_ASKED', code, message })
  }
}

function told(row: number, outcome: PushOutcome): object {
  if (outcome.accepted) return { row, accepted: true, online: outcome.online }
  return { row, accepted: false, code: outcome.code, message: outcome.message }
}

type Row = PushedRow | InvalidRow

async function* batches(view: FeatureView, body: Readable): AsyncGenerator<readonly Row[]> {
  let rows: Row[] = []
  let bytes = 0
  for await (const line of linesOf(body)) {
    rows.push(line === 'too long' ? tooLong : readPushedLine(view, line))
    bytes += line.length
    if (rows.length < maxBatchRows && bytes < maxBatchBytes) continue
    yield rows
    rows = []
    bytes = 0
  }
  if (rows.length > 0) yield rows
}

const tooLong = new InvalidRow(`a line has at most ${maxLineBytes} bytes`)

/** Lines without their ends; blank ones are left out. Of a line that is too long nothing is kept. */
async function* linesOf(body: Readable): AsyncGenerator<Buffer | 'too long'> {
  let parts: Buffer[] = []
  let size = 0
  const take = (part: Buffer): void => {
    size += part.length
    if (size <= maxLineBytes) parts.push(part)
    else parts = []
  }
  const end = (): Buffer | 'too long' | null => {
    const line = size > maxLineBytes ? 'too long' : Buffer.concat(parts)
    parts = []
    size = 0
    return line === 'too long' || line.some((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0d)
      ? line
      : null
  }
  for await (const chunk of heard(body)) {
    let start = 0
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, start)) {
      take(chunk.subarray(start, at))
      start = at + 1
      const line = end()
      if (line !== null) yield line
    }
    take(chunk.subarray(start))
  }
  const last = end()
  if (last !== null) yield last
}

/** The body's chunks. While the next one is waited for, and only then, silence is counted. */
async function* heard(body: Readable): AsyncGenerator<Buffer> {
  const chunks: AsyncIterator<Buffer> = body[Symbol.asyncIterator]()
  try {
    for (;;) {
      const silence = setTimeout(() => body.destroy(new Error('the sender fell silent')), silenceMs)
      const next = await chunks.next().finally(() => clearTimeout(silence))
      if (next.done) return
      yield next.value
    }
  } finally {
    await chunks.return?.()
  }
}
