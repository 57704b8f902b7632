import { type FastifyReply, type FastifyRequest, LogController } from 'fastify'

/**
 * A line a request would cost more than the request; failures are logged, metrics count the rest. What fails while an answer
 * is under way reaches no error handler: it is logged here, under the request id that the caller has.
 */
export class FailuresOnly extends LogController {
  constructor() {
    super({ disableRequestLogging: true })
  }

  override streamError(error: Error, _request: FastifyRequest, reply: FastifyReply): void {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ERR_STREAM_PREMATURE_CLOSE')
      reply.log.info('the caller went away before the end of its answer')
    else reply.log.warn({ err: error }, 'an answer broke off')
  }
}
