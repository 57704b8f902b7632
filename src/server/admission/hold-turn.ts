import type { FastifyReply, FastifyRequest } from 'fastify'
import type { WorkClass } from '../../graph/work.ts'
import type { Admission } from './admission.ts'

/** A hook: the request waits for its turn, and holds it until its answer has left or its caller has gone. */
export function holdTurn({ enter }: Pick<Admission, 'enter'>, workClass: WorkClass) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const gone = new AbortController()
    const abort = (): void => gone.abort()
    reply.raw.once('close', abort)
    const end = await enter(workClass, request.payer, () => gone.signal)
    reply.raw.off('close', abort)
    if (reply.raw.closed) end()
    else reply.raw.once('close', end)
  }
}
