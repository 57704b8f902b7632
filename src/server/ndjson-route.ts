import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { BadUserInput } from '../errors.ts'
import { requireRight } from '../graph/require-right.ts'
import type { EndTurn } from '../graph/work.ts'
import type { AuditAction } from '../stores/audit-store.ts'
import type { Admission } from './admission/admission.ts'
import { type Audit, auditedCaller } from './audit.ts'
import { requireCaller } from './authenticate.ts'
import { refuse } from './http-error.ts'
import type { HoldWorld, HttpWorld } from './http-world.ts'

export interface NdjsonRouteOptions {
  /** With one parameter, `:name`. */
  readonly url: string
  readonly hold: HoldWorld
  readonly admission: Pick<Admission, 'enter' | 'enterPatiently'>
  /** Sockets in here are not bound to send a whole request within the server's request timeout. */
  readonly streaming: WeakSet<Socket>
  /**
   * The answer's lines to a body that has begun, or null where nothing has this name.
   * @throws BadUserInput for what can be refused before a line is read.
   */
  readonly answer: (world: HttpWorld, asked: NdjsonRequest) => AsyncIterable<string> | null
  readonly audit: Audit
  readonly action: AuditAction
  /** Said where `answer` is null. */
  readonly notFound: string
}

interface NdjsonRequest {
  readonly name: string
  /** Of the query string: text, or a list where it came more than once. */
  readonly parameter: (name: string) => unknown
  /** Null without it, and where it came more than once. */
  readonly header: (name: string) => string | null
  readonly body: Readable
  readonly batches: BatchWork
}

/** What goes with each batch of a body. */
interface BatchWork {
  /** Of the caller's work: the batch waits for it, and the sender with it. */
  readonly takeTurn: () => EndTurn | Promise<EndTurn>
  /** Of the batch, that many were stored. */
  readonly onAccepted: (count: number) => void
}

const mediaType = 'application/x-ndjson'
/**
 * Bytes of answer that wait for a caller who reads it only once all is sent (about 300,000 rows); beyond, sending
 * waits too.
 */
const answerBytes = 16 * 1_048_576

/** A POST of NDJSON that is answered in NDJSON while it is sent, by callers with the right `write`, who are known already. */
export function ndjsonRoute(options: NdjsonRouteOptions) {
  const { url, hold, admission, streaming, answer, audit, action, notFound } = options
  return async (app: FastifyInstance): Promise<void> => {
    app.removeAllContentTypeParsers()
    // Left as a stream: the body limit is not asked, the batch is the bound.
    app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
    app.route<{ Params: { name: string }; Querystring: Record<string, unknown> }>({
      method: 'POST',
      url,
      handler: async (request, reply) => {
        requireRight(requireCaller(request), 'write')
        if (!isNdjson(request)) {
          const message = `expected content-type ${mediaType} in UTF-8, not compressed`
          return refuse(reply, { status: 415, code: 'UNSUPPORTED_MEDIA_TYPE', message })
        }
        // Refused before it has begun where too much waits already.
        const first = await admission.enter('ingestion', request.payer)
        first()
        let lines: AsyncIterable<string> | null
        let accepted = 0
        const { world, release } = hold()
        reply.raw.once('close', release)
        try {
          lines = answer(world, {
            name: request.params.name,
            parameter: (name) => request.query[name],
            header: (name) => headerOf(request, name),
            body: request.raw,
            batches: {
              takeTurn: () => admission.enterPatiently('ingestion', request.payer),
              onAccepted: (count) => {
                accepted += count
              },
            },
          })
        } catch (error) {
          if (!(error instanceof BadUserInput)) throw error
          return refuse(reply, { status: 400, code: error.code, message: error.message })
        }
        if (lines === null) return refuse(reply, { status: 404, code: 'NOT_FOUND', message: notFound })
        const { socket } = request.raw
        streaming.add(socket)
        const subject = request.params.name
        // A closed connection has no address any more.
        const caller = auditedCaller(request)
        // A body that breaks off has done the batches before it.
        reply.raw.once('close', () =>
          audit.done(caller, { action, subject, outcome: 'DONE', count: accepted }),
        )
        reply.raw.once('close', () => streaming.delete(socket))
        return reply
          .type(mediaType)
          .send(Readable.from(lines, { objectMode: false, highWaterMark: answerBytes }))
      },
    })
  }
}

/**
 * A line per outcome and a last one with the counts; `perform` gets the items of a batch and its number. Of a body that
 * breaks off, the batches before it are done.
 */
export async function* outcomeLines<Item, Outcome extends { readonly accepted: boolean }>(
  batches: AsyncIterable<readonly Item[]>,
  describe: (row: number, outcome: Outcome) => object,
  perform: (items: readonly Item[], batch: number) => Promise<readonly Outcome[]>,
  { takeTurn, onAccepted }: BatchWork,
): AsyncGenerator<string> {
  let [row, accepted, batch] = [0, 0, 0]
  for await (const items of batches) {
    let lines = ''
    const end = await takeTurn()
    const outcomes = await perform(items, batch).finally(end)
    onAccepted(outcomes.filter((outcome) => outcome.accepted).length)
    for (const outcome of outcomes) {
      if (outcome.accepted) accepted += 1
      lines += `${JSON.stringify(describe(row, outcome))}\n`
      row += 1
    }
    yield lines
    batch += 1
  }
  yield `${JSON.stringify({ accepted, rejected: row - accepted })}\n`
}

type RequestHeaders = Pick<FastifyRequest, 'headers'>

function isNdjson(request: RequestHeaders): boolean {
  const [type = '', ...parameters] = (headerOf(request, 'content-type') ?? '').toLowerCase().split(';')
  const encoding = headerOf(request, 'content-encoding') ?? 'identity'
  const inUtf8 = parameters.every((parameter) => /^\s*(?:charset\s*=\s*"?utf-?8"?\s*)?$/.test(parameter))
  return type.trim() === mediaType && inUtf8 && encoding.toLowerCase() === 'identity'
}

function headerOf(request: RequestHeaders, name: string): string | null {
  const value = request.headers[name]
  return typeof value === 'string' ? value : null
}
